//! The order of the source addresses: a doubly linked list through the endpoints, for each family,
//! so that adding and removing are O(1) among millions.

use std::sync::atomic::Ordering;

use crate::address::{Family, PrimaryEndpointBehavior};
use crate::endpoint::{Endpoints, NONE};

/// The lists of both families.
#[derive(Default)]
pub(super) struct PrimaryLists {
    v4: List,
    v6: List,
}

struct List {
    head: u32,
    tail: u32,
    /// The ranks that the next one at either end gets.
    first: i64,
    last: i64,
}

impl Default for List {
    fn default() -> Self {
        Self {
            head: NONE,
            tail: NONE,
            first: -1,
            last: 0,
        }
    }
}

impl PrimaryLists {
    fn of(&mut self, family: Family) -> &mut List {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Puts an endpoint, which is in no list, where its configuration says.
    pub(super) fn link(&mut self, endpoints: &Endpoints, index: u32) {
        let endpoint = endpoints.at(index);
        let list = self.of(endpoint.key().family());
        match endpoint.primary() {
            PrimaryEndpointBehavior::NeverPrimary => return,
            PrimaryEndpointBehavior::CanBePrimary => {
                endpoint.previous.store(list.tail, Ordering::Relaxed);
                endpoint.next.store(NONE, Ordering::Relaxed);
                endpoint.rank.store(list.last, Ordering::Relaxed);
                list.last += 1;
            }
            PrimaryEndpointBehavior::FirstPrimary => {
                endpoint.previous.store(NONE, Ordering::Relaxed);
                endpoint.next.store(list.head, Ordering::Relaxed);
                endpoint.rank.store(list.first, Ordering::Relaxed);
                list.first -= 1;
            }
        }
        list.join(endpoints, index);
    }

    /// Takes an endpoint out, if it is in the list.
    pub(super) fn unlink(&mut self, endpoints: &Endpoints, index: u32) {
        let endpoint = endpoints.at(index);
        if endpoint.primary() == PrimaryEndpointBehavior::NeverPrimary {
            return;
        }
        let previous = endpoint.previous.swap(NONE, Ordering::Relaxed);
        let next = endpoint.next.swap(NONE, Ordering::Relaxed);
        let list = self.of(endpoint.key().family());
        list.set_next(endpoints, previous, next);
        list.set_previous(endpoints, next, previous);
    }

    /// The endpoints of a family, best first.
    pub(super) fn iter<'a>(
        &self,
        endpoints: &'a Endpoints,
        family: Family,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let head = match family {
            Family::V4 => self.v4.head,
            Family::V6 => self.v6.head,
        };
        let some = |index| (index != NONE).then_some(index);
        std::iter::successors(some(head), move |index| {
            some(endpoints.at(*index).next.load(Ordering::Relaxed))
        })
    }
}

impl List {
    /// Makes the neighbours of `index`, which knows them, point at it.
    fn join(&mut self, endpoints: &Endpoints, index: u32) {
        let endpoint = endpoints.at(index);
        let previous = endpoint.previous.load(Ordering::Relaxed);
        let next = endpoint.next.load(Ordering::Relaxed);
        self.set_next(endpoints, previous, index);
        self.set_previous(endpoints, next, index);
    }

    fn set_next(&mut self, endpoints: &Endpoints, of: u32, to: u32) {
        match of {
            NONE => self.head = to,
            of => endpoints.at(of).next.store(to, Ordering::Relaxed),
        }
    }

    fn set_previous(&mut self, endpoints: &Endpoints, of: u32, to: u32) {
        match of {
            NONE => self.tail = to,
            of => endpoints.at(of).previous.store(to, Ordering::Relaxed),
        }
    }
}
