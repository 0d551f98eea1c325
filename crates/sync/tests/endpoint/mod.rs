//! What the loom models hold references to: an endpoint whose body loom watches.
//!
//! A handler reads the body and a close writes it, so loom itself reports a close that overlaps a
//! handler, or that nothing orders after it; the count in the body tells the rest.

use corelane_sync::primitive::UnsafeCell;
use corelane_sync::refs::{AddressKind, Refs};

use crate::explore::pass;

pub(crate) struct Endpoint {
    refs: Refs,
    body: UnsafeCell<Body>,
}

struct Body {
    life: u32,
    closed: bool,
}

// SAFETY: not claimed to be sound but put to the test: loom fails the model upon any two accesses
// to the body that are not ordered.
unsafe impl Sync for Endpoint {}

impl Endpoint {
    /// An endpoint that has not begun to live: closed, so that only `begin` makes it usable.
    pub(crate) fn unborn() -> Self {
        Self {
            refs: Refs::zeroed(),
            body: UnsafeCell::new(Body {
                life: 0,
                closed: true,
            }),
        }
    }

    pub(crate) fn new(kind: AddressKind) -> Self {
        let endpoint = Self::unborn();
        endpoint.begin(1, kind);
        endpoint
    }

    /// The owner writes the body, then makes it alive.
    pub(crate) fn begin(&self, life: u32, kind: AddressKind) {
        pass();
        self.body.with_mut(|body| {
            // SAFETY: loom fails the model if anything else accesses the body meanwhile.
            let body = unsafe { &mut *body };
            assert!(body.closed, "a life within a life");
            *body = Body {
                life,
                closed: false,
            };
        });
        pass();
        self.refs.reset(kind);
    }

    /// Kind and count, for one operation.
    pub(crate) fn refs(&self) -> &Refs {
        pass();
        &self.refs
    }

    /// A handler call: the endpoint must be open from its beginning to its end. Returns the life.
    pub(crate) fn handle(&self) -> u32 {
        pass();
        self.body.with(|body| {
            // SAFETY: loom fails the model if anything writes to the body meanwhile.
            let body = unsafe { &*body };
            assert!(!body.closed, "a handler after close");
            body.life
        })
    }

    pub(crate) fn close(&self) {
        pass();
        self.body.with_mut(|body| {
            // SAFETY: loom fails the model if anything else accesses the body meanwhile.
            let body = unsafe { &mut *body };
            assert!(!body.closed, "closed twice");
            body.closed = true;
        });
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.body.with(|body| {
            // SAFETY: loom fails the model if anything writes to the body meanwhile.
            unsafe { (*body).closed }
        })
    }
}
