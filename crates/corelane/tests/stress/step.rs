//! What may be next: the steps of each operation.

use corelane::stack::{AddressKind, PrimaryEndpointBehavior, Verdict};

use crate::model::{Life, Model, NONE, Next, Phase, Primary, Ret, Seen, View};
use crate::plan::{Destination, KEYS, Op, is_v6, range_of};

impl Model {
    /// What may be next of operation number `id`, if it came to `ret` in the end.
    pub fn step(&self, id: u16, op: &Op, ret: &Ret, phase: &Phase, next: &mut Vec<Next>) {
        let mut stepper = Stepper {
            model: self,
            id,
            op,
            ret,
            next,
        };
        stepper.step(phase);
    }
}

struct Stepper<'m> {
    model: &'m Model,
    id: u16,
    op: &'m Op,
    ret: &'m Ret,
    next: &'m mut Vec<Next>,
}

impl Stepper<'_> {
    /// The operation may be over now, if this is what it came to.
    fn done(&mut self, model: Model, ret: &Ret) {
        if self.ret == ret {
            self.next.push((model, None));
        }
    }

    fn unchanged(&mut self, ret: &Ret) {
        self.done(self.model.clone(), ret);
    }

    fn go_on(&mut self, model: Model, phase: Phase) {
        self.next.push((model, Some(phase)));
    }

    /// Counts a holder more and goes on.
    fn count(&mut self, life: u8, phase: Phase) {
        let mut model = self.model.clone();
        model.at(life).holders += 1;
        self.go_on(model, phase);
    }

    fn step(&mut self, phase: &Phase) {
        let m = self.model;
        match *phase {
            Phase::Start => self.start(),
            Phase::Publish { added } => {
                let mut model = m.clone();
                model.publish();
                self.go_on(model, Phase::Yield { added });
            }
            Phase::Yield { added } => {
                let mut model = m.clone();
                if added != NONE {
                    model.held[usize::from(added)] = NONE;
                }
                model.changing = false;
                self.changed(model);
            }
            Phase::Probes => {
                let mut model = m.clone();
                let clock = model.clock;
                for dad in model.dads.iter_mut().flatten() {
                    if dad.by == self.id {
                        dad.sent = Some(clock);
                    }
                }
                self.done(model, &Ret::Ok);
            }
            Phase::Polling => {
                if !m.changing && m.has_nothing_due() {
                    let idle = m.dads.iter().all(Option::is_none);
                    self.unchanged(&Ret::Is(idle));
                }
            }
            Phase::Unsettle { left, remove } => self.unsettle(left, remove),
            Phase::TakeOut { left } => self.take_out(left),
            Phase::Gone => {
                let mut model = m.clone();
                model.gone = true;
                self.done(model, &Ret::Ok);
            }
            Phase::Read { life, any, range } => self.acquire(life, any, range),
            Phase::FoundHeld { life, any } => {
                if m.living(life).is_some() {
                    let spare = NONE;
                    self.count(life, Phase::Counted { life, any, spare });
                } else {
                    self.unchanged(&Ret::Bad);
                }
            }
            Phase::Temporary { life, any } => {
                let better = m.published.table[usize::from(m.lives[usize::from(life)].key)];
                if better != life && m.living(better).is_some() {
                    let counted = Phase::Counted {
                        life: better,
                        any,
                        spare: life,
                    };
                    self.count(better, counted);
                } else {
                    let spare = NONE;
                    self.go_on(m.clone(), Phase::Counted { life, any, spare });
                }
            }
            Phase::Counted { life, any, spare } => {
                let usable = match m.kind(life) {
                    Some(AddressKind::Permanent | AddressKind::Temporary) => true,
                    Some(AddressKind::PermanentExpired) => any,
                    Some(AddressKind::PermanentTentative) | None => false,
                };
                let next = if usable {
                    Phase::Spare { life, spare }
                } else {
                    Phase::Refused { life, spare }
                };
                self.go_on(m.clone(), next);
            }
            Phase::Spare { life, spare } => {
                let mut model = m.clone();
                model.release(spare);
                self.held(model, life);
            }
            Phase::Refused { life, spare } => {
                let mut model = m.clone();
                model.release(life);
                if spare == NONE {
                    self.done(model, &Ret::Bad);
                } else {
                    let (life, spare) = (spare, NONE);
                    self.go_on(model, Phase::Refused { life, spare });
                }
            }
            Phase::Local { life } => {
                let key = m.lives[usize::from(life)].key;
                if let Op::Route { slot, .. } = *self.op {
                    let mut model = m.clone();
                    model.slots[usize::from(slot)] = life;
                    self.done(model, &Ret::Local(key));
                }
            }
            Phase::Route if !m.published.enabled => self.unchanged(&Ret::Down),
            Phase::Route => self.go_on(m.clone(), Phase::RouteUp),
            Phase::RouteUp => match self.op {
                Op::Route {
                    local: Some(key), ..
                } => self.read(*key),
                Op::Route { v6, .. } => self.source(*v6),
                _ => {}
            },
            Phase::Expired => {
                let usable = m.published.spoofing;
                self.unchanged(if usable { &Ret::Ok } else { &Ret::Invalid });
            }
            Phase::Up => self.heard(),
            Phase::Tentative => self.heard_tentative(),
            Phase::Burst {
                ref view,
                left,
                looked,
            } => self.burst(view, left, looked),
        }
    }

    /// A change is over, and those that wait for it may go on.
    fn changed(&mut self, model: Model) {
        if matches!(self.op, Op::Probe(_) | Op::Advertise(_)) {
            self.done(model, &Ret::Verdict(Verdict::Duplicate));
        } else if model.dads.iter().flatten().any(|dad| dad.by == self.id) {
            self.go_on(model, Phase::Probes);
        } else {
            self.done(model, &Ret::Ok);
        }
    }

    /// A change that is one step, for everybody.
    fn simple(&mut self, change: impl FnOnce(&mut Model) -> Ret) {
        if self.model.changing {
            return;
        }
        if self.model.removed {
            return self.unchanged(&Ret::Gone);
        }
        let mut model = self.model.clone();
        let ret = change(&mut model);
        model.publish();
        self.done(model, &ret);
    }

    fn start(&mut self) {
        let m = self.model;
        match self.op {
            Op::Add {
                key,
                prefix,
                primary,
            } => self.add(*key, *prefix, *primary),
            Op::Remove(key) => {
                if let Some(mut model) = self.change() {
                    if model.configured(*key).is_none() {
                        return self.unchanged(&Ret::Bad);
                    }
                    if model.dads[usize::from(*key)].take().is_some() {
                        model.aborted[usize::from(*key)] += 1;
                    }
                    model.take_out(*key);
                    self.go_on(model, Phase::Publish { added: NONE });
                }
            }
            Op::Duplicate(key) => {
                if let Some(mut model) = self.change() {
                    match model.configured(*key).map(|index| model.kind(index)) {
                        None => self.unchanged(&Ret::Bad),
                        Some(Some(AddressKind::PermanentTentative)) => {
                            model.give_up(*key);
                            self.go_on(model, Phase::Publish { added: NONE });
                        }
                        Some(_) => self.unchanged(&Ret::Invalid),
                    }
                }
            }
            Op::Hold { key, .. } => self.read(*key),
            Op::Route { .. } if m.gone => self.unchanged(&Ret::Gone),
            Op::Route { .. } => self.go_on(m.clone(), Phase::Route),
            Op::Clone { from, to } => {
                let life = m.slots[usize::from(*from)];
                let mut model = m.clone();
                model.at(life).holders += 1;
                model.slots[usize::from(*to)] = life;
                self.done(model, &Ret::Ok);
            }
            Op::Drop(slot) => {
                let mut model = m.clone();
                let life = std::mem::replace(&mut model.slots[usize::from(*slot)], NONE);
                model.release(life);
                self.done(model, &Ret::Ok);
            }
            Op::Kind(slot) => {
                if let Some(kind) = m.kind(m.slots[usize::from(*slot)]) {
                    self.unchanged(&Ret::Kind(kind));
                }
            }
            Op::Same(one, other) => {
                let same = m.slots[usize::from(*one)] == m.slots[usize::from(*other)];
                self.unchanged(&Ret::Is(same));
            }
            Op::Check(slot) => {
                if m.gone {
                    return self.unchanged(&Ret::Gone);
                }
                if !m.published.enabled {
                    return self.unchanged(&Ret::Down);
                }
                match m.kind(m.slots[usize::from(*slot)]) {
                    Some(AddressKind::Permanent | AddressKind::Temporary) => {
                        self.unchanged(&Ret::Ok);
                    }
                    Some(AddressKind::PermanentExpired) => {
                        self.go_on(m.clone(), Phase::Expired);
                    }
                    _ => self.unchanged(&Ret::Invalid),
                }
            }
            Op::Join(group) => self.simple(|model| {
                model.joins[usize::from(*group)] += 1;
                Ret::Ok
            }),
            Op::Leave(group) => self.simple(|model| {
                let joins = &mut model.joins[usize::from(*group)];
                match joins.checked_sub(1) {
                    Some(left) => {
                        *joins = left;
                        Ret::Ok
                    }
                    None => Ret::Bad,
                }
            }),
            Op::Promiscuous(on) => self.simple(|model| {
                model.promiscuous = *on;
                Ret::Ok
            }),
            Op::Spoofing(on) => self.simple(|model| {
                model.spoofing = *on;
                Ret::Ok
            }),
            Op::AddRange(range) => self.simple(|model| {
                model.ranges[usize::from(*range)] = true;
                Ret::Ok
            }),
            Op::RemoveRange(range) => self.simple(|model| {
                model.ranges[usize::from(*range)] = false;
                Ret::Ok
            }),
            Op::Probe(_) | Op::Advertise(_) => {
                if m.published.enabled {
                    self.go_on(m.clone(), Phase::Up);
                } else {
                    self.unchanged(&Ret::Verdict(Verdict::NicDown));
                }
            }
            Op::Advance => {
                let mut model = m.clone();
                model.clock += 1;
                self.go_on(model, Phase::Polling);
            }
            Op::Enable => {
                if let Some(mut model) = self.change() {
                    if model.enabled {
                        return self.unchanged(&Ret::Ok);
                    }
                    model.enabled = true;
                    for key in 0..KEYS as u8 {
                        let index = model.configured(key);
                        let life = index.and_then(|index| model.life(index));
                        if life.is_some_and(Life::is_tentative) {
                            model.probe(key, self.id);
                        }
                    }
                    self.go_on(model, Phase::Publish { added: NONE });
                }
            }
            Op::Disable => {
                if let Some(model) = self.change() {
                    if !model.enabled {
                        return self.unchanged(&Ret::Ok);
                    }
                    self.down(model, false);
                }
            }
            Op::RemoveNic => {
                if let Some(model) = self.change() {
                    self.down(model, true);
                }
            }
            Op::Addresses => {
                if !m.changing {
                    let keys = (0..KEYS as u8).filter_map(|key| {
                        let life = m.life(m.configured(key)?)?;
                        let info = (key, life.prefix, life.primary.behaviour());
                        life.is_assigned().then_some(info)
                    });
                    self.unchanged(&Ret::Addresses(keys.collect()));
                }
            }
            Op::Groups => {
                if !m.changing {
                    let joins = m.joins.iter().enumerate();
                    let counts =
                        joins.map(|(group, by_user)| (u32::from(*by_user), m.own_joins(group)));
                    self.unchanged(&Ret::Groups(counts.collect()));
                }
            }
            Op::Reclaim => self.unchanged(&Ret::Ok),
            Op::Burst(destinations) => {
                let Ret::Burst { enabled, .. } = self.ret else {
                    return;
                };
                if *enabled == m.published.enabled {
                    let phase = Phase::Burst {
                        view: m.published.clone(),
                        left: ((1u16 << destinations.len()) - 1) as u8,
                        looked: None,
                    };
                    self.go_on(m.clone(), phase);
                }
            }
            Op::Frame(_) => {
                if m.published.enabled {
                    let phase = Phase::Burst {
                        view: m.published.clone(),
                        left: 1,
                        looked: None,
                    };
                    self.go_on(m.clone(), phase);
                } else {
                    self.unchanged(&Ret::Frame(None));
                }
            }
            Op::Events => self.events(),
        }
    }

    /// The NIC to be changed, if no other change is under way and it was not removed.
    fn change(&mut self) -> Option<Model> {
        if self.model.removed && !self.model.changing {
            self.unchanged(&Ret::Gone);
            return None;
        }
        if self.model.changing {
            return None;
        }
        let mut model = self.model.clone();
        model.changing = true;
        Some(model)
    }

    fn add(&mut self, key: u8, prefix: u8, primary: PrimaryEndpointBehavior) {
        let Some(mut model) = self.change() else {
            return;
        };
        let at = usize::from(key);
        let kind = if is_v6(key) && model.probing {
            AddressKind::PermanentTentative
        } else {
            AddressKind::Permanent
        };
        let (index, added) = match (model.kind(model.table[at]), model.kind(model.held[at])) {
            (Some(kind), _) if kind.is_permanent() => return self.unchanged(&Ret::Duplicate),
            // Expired and held: the same one lives on.
            (Some(_), _) => (model.table[at], NONE),
            (None, Some(held)) if !held.is_permanent() => (model.held[at], key),
            (None, _) => (model.begin(key, kind, 0), key),
        };
        let life = model.at(index);
        life.kind = kind;
        life.prefix = prefix;
        life.primary = Primary::of(primary);
        model.table[at] = index;
        if !is_v6(key) {
            match primary {
                PrimaryEndpointBehavior::CanBePrimary => model.order.push(key),
                PrimaryEndpointBehavior::FirstPrimary => model.order.insert(0, key),
                PrimaryEndpointBehavior::NeverPrimary => {}
            }
        }
        if kind == AddressKind::PermanentTentative && model.enabled {
            model.probe(key, self.id);
        }
        self.go_on(model, Phase::Publish { added });
    }

    /// The NIC goes down, and perhaps away.
    fn down(&mut self, mut model: Model, remove: bool) {
        let mut left = 0;
        if model.enabled {
            model.enabled = false;
            for key in 0..KEYS {
                if model.dads[key].take().is_some() {
                    model.aborted[key] += 1;
                }
            }
            for key in (0..KEYS as u8).filter(|key| is_v6(*key) && model.probing) {
                let index = model.configured(key);
                if index.is_some_and(|index| model.lives[usize::from(index)].is_assigned()) {
                    left |= 1 << key;
                }
            }
        }
        self.go_on(model, Phase::Unsettle { left, remove });
    }

    fn unsettle(&mut self, left: u8, remove: bool) {
        let m = self.model;
        for key in (0..KEYS as u8).filter(|key| left & (1 << key) != 0) {
            let mut model = m.clone();
            let index = model.table[usize::from(key)];
            model.at(index).kind = AddressKind::PermanentTentative;
            let left = left & !(1 << key);
            self.go_on(model, Phase::Unsettle { left, remove });
        }
        if left == 0 && remove {
            let keys = (0..KEYS as u8).filter(|key| m.configured(*key).is_some());
            let left = keys.fold(0, |left, key| left | (1 << key));
            self.go_on(m.clone(), Phase::TakeOut { left });
        } else if left == 0 {
            self.go_on(m.clone(), Phase::Publish { added: NONE });
        }
    }

    fn take_out(&mut self, left: u8) {
        let m = self.model;
        for key in (0..KEYS as u8).filter(|key| left & (1 << key) != 0) {
            let mut model = m.clone();
            model.take_out(key);
            let left = left & !(1 << key);
            self.go_on(model, Phase::TakeOut { left });
        }
        if left == 0 {
            let mut model = m.clone();
            model.ranges = Default::default();
            model.joins = Default::default();
            model.promiscuous = false;
            model.spoofing = false;
            model.removed = true;
            model.publish();
            model.changing = false;
            self.go_on(model, Phase::Gone);
        }
    }

    /// Holding an address begins with what is published.
    fn read(&mut self, key: u8) {
        let m = self.model;
        if m.gone {
            return self.unchanged(&Ret::Gone);
        }
        let view = &m.published;
        let phase = Phase::Read {
            life: view.table[usize::from(key)],
            any: view.spoofing,
            range: range_of(key).is_some_and(|range| view.ranges[range]),
        };
        self.go_on(m.clone(), phase);
    }

    fn acquire(&mut self, life: u8, any: bool, range: bool) {
        let m = self.model;
        let spare = NONE;
        if m.living(life).is_some() {
            return self.count(life, Phase::Counted { life, any, spare });
        }
        let (Op::Hold { key, .. }
        | Op::Route {
            local: Some(key), ..
        }) = *self.op
        else {
            return;
        };
        let held = m.held[usize::from(key)];
        if !any && !range {
            if held == NONE {
                self.unchanged(&Ret::Bad);
            } else {
                self.go_on(m.clone(), Phase::FoundHeld { life: held, any });
            }
            return;
        }
        if m.living(held).is_some() {
            return self.count(held, Phase::Temporary { life: held, any });
        }
        let own = m.table[usize::from(key)];
        if m.published.table[usize::from(key)] != own && m.living(own).is_some() {
            // Not published yet: holders are given it all the same, so that there is one.
            return self.count(
                own,
                Phase::Counted {
                    life: own,
                    any,
                    spare,
                },
            );
        }
        let mut model = m.clone();
        let life = model.begin(key, AddressKind::Temporary, 1);
        model.held[usize::from(key)] = life;
        self.go_on(model, Phase::Temporary { life, any });
    }

    /// A reference is taken.
    fn held(&mut self, mut model: Model, life: u8) {
        match *self.op {
            Op::Hold { slot, .. } => {
                model.slots[usize::from(slot)] = life;
                self.done(model, &Ret::Ok);
            }
            _ => self.go_on(model, Phase::Local { life }),
        }
    }

    /// The best source address. Which of several IPv6 ones that is, others test.
    fn source(&mut self, v6: bool) {
        let m = self.model;
        if m.changing {
            return;
        }
        if m.removed {
            return self.unchanged(&Ret::Gone);
        }
        let usable = |key: &u8| {
            let index = m.configured(*key)?;
            let life = m.life(index)?;
            (life.is_assigned() && life.primary != Primary::Never).then_some(index)
        };
        let sources: Vec<u8> = if v6 {
            let keys = (0..KEYS as u8).filter(|key| is_v6(*key));
            keys.filter_map(|key| usable(&key)).collect()
        } else {
            m.order.iter().find_map(usable).into_iter().collect()
        };
        if sources.is_empty() {
            self.unchanged(&Ret::NoRoute);
        }
        for life in sources {
            self.count(life, Phase::Local { life });
        }
    }

    /// A message about an address, at a NIC that is up.
    fn heard(&mut self) {
        let m = self.model;
        let (Op::Probe(key) | Op::Advertise(key)) = *self.op else {
            return;
        };
        let verdict = match m.kind(m.published.table[usize::from(key)]) {
            Some(AddressKind::PermanentTentative) => {
                return self.go_on(m.clone(), Phase::Tentative);
            }
            Some(AddressKind::Permanent) if matches!(self.op, Op::Probe(_)) => Verdict::Answered,
            Some(AddressKind::Permanent) => Verdict::Conflict,
            _ => Verdict::Ignored,
        };
        self.unchanged(&Ret::Verdict(verdict));
    }

    fn heard_tentative(&mut self) {
        let m = self.model;
        let (Op::Probe(key) | Op::Advertise(key)) = *self.op else {
            return;
        };
        if m.changing {
            return;
        }
        let index = m.configured(key);
        if index.is_none_or(|index| !m.lives[usize::from(index)].is_tentative()) {
            return self.unchanged(&Ret::Verdict(Verdict::Ignored));
        }
        let mut model = m.clone();
        model.changing = true;
        model.give_up(key);
        self.go_on(model, Phase::Publish { added: NONE });
    }

    fn burst(&mut self, view: &View, left: u8, looked: Option<(u8, u8)>) {
        let m = self.model;
        let of_frame;
        let (destinations, found) = match (self.op, self.ret) {
            (Op::Burst(destinations), Ret::Burst { found, .. }) => (&destinations[..], &found[..]),
            (Op::Frame(destination), Ret::Frame(seen)) => {
                of_frame = seen.unwrap_or(Seen::Nothing);
                let (one, seen) = (destination, &of_frame);
                (std::slice::from_ref(one), std::slice::from_ref(seen))
            }
            _ => return,
        };
        let settle = |this: &mut Self, at: u8, seen: Seen| {
            if found[usize::from(at)] != seen {
                return;
            }
            let left = left & !(1 << at);
            if left == 0 {
                this.next.push((m.clone(), None));
            } else {
                let phase = Phase::Burst {
                    view: view.clone(),
                    left,
                    looked: None,
                };
                this.go_on(m.clone(), phase);
            }
        };
        if let Some((at, life)) = looked {
            let seen = m.kind(life).map_or_else(
                || unowned(view, destinations[usize::from(at)]),
                |kind| owned(view, kind),
            );
            return settle(self, at, seen);
        }
        for at in 0..destinations.len() as u8 {
            if left & (1 << at) == 0 {
                continue;
            }
            let destination = destinations[usize::from(at)];
            let Destination::Address(key) = destination else {
                let mut seen = vec![unowned(view, destination)];
                if let Destination::Group(group) = destination
                    && let Some(own) = m.own_group(group)
                {
                    // In effect at once, and somewhere within the change that brings it about.
                    let others = [own, m.published.groups[usize::from(group)]];
                    seen.extend(others.map(|is_in| {
                        let mut view = view.clone();
                        view.groups[usize::from(group)] = is_in;
                        unowned(&view, destination)
                    }));
                    seen.sort_unstable();
                    seen.dedup();
                }
                for seen in seen {
                    settle(self, at, seen);
                }
                continue;
            };
            if let Some(kind) = m.kind(view.table[usize::from(key)]) {
                settle(self, at, owned(view, kind));
                continue;
            }
            match m.held[usize::from(key)] {
                NONE => settle(self, at, unowned(view, destination)),
                held => {
                    let phase = Phase::Burst {
                        view: view.clone(),
                        left,
                        looked: Some((at, held)),
                    };
                    self.go_on(m.clone(), phase);
                }
            }
        }
    }

    fn events(&mut self) {
        let m = self.model;
        if m.lives.iter().any(Life::is_alive) {
            return;
        }
        let counts = (0..KEYS).map(|key| {
            let lives = m.lives.iter().filter(|life| usize::from(life.key) == key);
            [
                lives.count() as u32,
                u32::from(m.assigned[key]),
                u32::from(m.duplicates[key]),
                u32::from(m.aborted[key]),
            ]
        });
        self.unchanged(&Ret::Events(counts.collect()));
    }
}

/// What an endpoint that lives is to a packet.
fn owned(view: &View, kind: AddressKind) -> Seen {
    match kind {
        AddressKind::Permanent | AddressKind::Temporary => Seen::Endpoint,
        AddressKind::PermanentExpired if view.promiscuous => Seen::Endpoint,
        AddressKind::PermanentExpired | AddressKind::PermanentTentative => Seen::Nothing,
    }
}

/// What a destination is that has no endpoint.
fn unowned(view: &View, destination: Destination) -> Seen {
    let range = match destination {
        Destination::Address(key) => range_of(key),
        Destination::Stranger => Some(0),
        Destination::Group(_) | Destination::Broadcast => None,
    };
    let anyone = view.promiscuous || range.is_some_and(|range| view.ranges[range]);
    match destination {
        Destination::Group(group) if anyone || view.groups[usize::from(group)] => Seen::Group,
        Destination::Group(_) => Seen::Nothing,
        Destination::Broadcast if view.broadcast => Seen::Broadcast,
        _ if anyone => Seen::Temporary,
        _ => Seen::Nothing,
    }
}
