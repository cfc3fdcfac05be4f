//! The greatest total score: slots of wishes matched with volunteers.
//!
//! Each volunteer's candidates are parted into *shifts*: sets of windows that all overlap each other, of which a volunteer
//! takes at most one. So a plan is a flow wish → shift → volunteer, and the primal–dual method finds the best one: what an
//! open slot still bids falls from [`TOP`] to nothing, and at each level every path is filled on which the bid is just met.
//! Scores are whole numbers up to [`TOP`], so there are few levels; a wish's candidates are sorted by score, so that a
//! level looks only at those that can matter to it. Ties are broken by the order of the input: same input, same plan.

use super::{at, number};

/// No pair.
pub(super) const NONE: u32 = u32::MAX;
/// The greatest score of a pair.
pub(super) const TOP: i32 = 100;

/// Who may take which wish. Wishes, volunteers, shifts and pairs are numbered from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Market {
    /// By wish: how many people it needs.
    pub(super) slots: Vec<u32>,
    /// By volunteer: how many wishes at most.
    pub(super) capacity: Vec<u32>,
    /// By wish: where its pairs begin; one more at the end.
    pub(super) first_pair: Vec<u32>,
    /// By pair: the wish.
    pub(super) wish: Vec<u32>,
    /// By pair: the shift. Within a wish by score, highest first.
    pub(super) shift: Vec<u32>,
    /// By pair: 1 to [`TOP`].
    pub(super) score: Vec<u8>,
    /// By shift: the volunteer.
    pub(super) owner: Vec<u32>,
    /// By volunteer: where its shifts begin; one more at the end.
    pub(super) first_shift: Vec<u32>,
}

impl Market {
    /// Without anybody. Pairs are added wish by wish, shifts volunteer by volunteer.
    pub(super) fn new() -> Self {
        Self { first_pair: vec![0], first_shift: vec![0], ..Self::default() }
    }

    pub(super) fn add_pair(&mut self, wish: u32, shift: u32, score: u8) {
        self.wish.push(wish);
        self.shift.push(shift);
        self.score.push(score);
    }

    pub(super) fn end_wish(&mut self) {
        self.first_pair.push(number(self.wish.len()));
    }

    pub(super) fn add_shifts(&mut self, volunteer: u32, count: u32) {
        self.owner.extend((0..count).map(|_| volunteer));
    }

    pub(super) fn end_volunteer(&mut self) {
        self.first_shift.push(number(self.owner.len()));
    }

    pub(super) fn pairs(&self, wish: u32) -> std::ops::Range<u32> {
        self.first_pair[at(wish)]..self.first_pair[at(wish) + 1]
    }

    fn shifts(&self, volunteer: u32) -> std::ops::Range<u32> {
        self.first_shift[at(volunteer)]..self.first_shift[at(volunteer) + 1]
    }
}

/// The best plan, as far as overlaps within shifts go.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// By shift: the pair it is taken for, or [`NONE`].
    pub(super) taken: Vec<u32>,
    /// By wish: what one more candidate of a score above this would have changed; 0 where a slot stayed open.
    pub(super) bid: Vec<i32>,
}

/// Finds it.
pub(super) fn solve(market: &Market) -> Flow {
    let mut search = Search::new(market);
    loop {
        while search.fill() {}
        if !search.lower() {
            return Flow { taken: search.taken, bid: search.wish };
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Wish(u32),
    Shift(u32),
    Person(u32),
}

/// Potentials are relative to the sink: a pair out of the plan has `score ≤ wish − shift`, one in it `≥`; a shift that is free
/// lies at or above its volunteer, one that is taken at or below; a volunteer with capacity left lies at 0. None ever rises.
struct Search<'a> {
    market: &'a Market,
    open: Vec<u32>,
    left: Vec<u32>,
    taken: Vec<u32>,
    level: i32,
    wish: Vec<i32>,
    shift: Vec<i32>,
    person: Vec<i32>,
    // Of the round or the lowering at hand.
    round: u32,
    seen_wish: Vec<u32>,
    seen_shift: Vec<u32>,
    seen_person: Vec<u32>,
    next_pair: Vec<u32>,
    next_shift: Vec<u32>,
    reached_wish: Vec<i32>,
    reached_shift: Vec<i32>,
    reached_person: Vec<i32>,
    buckets: Vec<Vec<Node>>,
    touched: Vec<Node>,
}

const FAR: i32 = i32::MAX;

/// Distances are 0 to [`TOP`].
fn bucket(distance: i32) -> usize {
    usize::try_from(distance).unwrap_or(0)
}

impl<'a> Search<'a> {
    fn new(market: &'a Market) -> Self {
        let (wishes, people, shifts) = (market.slots.len(), market.capacity.len(), market.owner.len());
        Self {
            market,
            open: market.slots.clone(),
            left: market.capacity.clone(),
            taken: vec![NONE; shifts],
            level: TOP,
            wish: vec![TOP; wishes],
            shift: vec![0; shifts],
            person: vec![0; people],
            round: 0,
            seen_wish: vec![0; wishes],
            seen_shift: vec![0; shifts],
            seen_person: vec![0; people],
            next_pair: vec![0; wishes],
            next_shift: vec![0; people],
            reached_wish: vec![FAR; wishes],
            reached_shift: vec![FAR; shifts],
            reached_person: vec![FAR; people],
            buckets: (0..=TOP).map(|_| Vec::new()).collect(),
            touched: Vec::new(),
        }
    }

    /// Fills paths on which the bid is just met, each node used once; whether there were any.
    fn fill(&mut self) -> bool {
        self.round += 1;
        let mut found = false;
        for wish in 0..number(self.open.len()) {
            while self.open[at(wish)] > 0 && self.fill_from(wish) {
                found = true;
            }
        }
        found
    }

    fn fill_from(&mut self, root: u32) -> bool {
        let mut path = Vec::new();
        self.enter_wish(root, &mut path);
        while let Some(top) = path.last().copied() {
            let advanced = match top {
                Node::Wish(wish) => self.step_wish(wish, &mut path),
                Node::Person(person) => self.step_person(person, &mut path),
                Node::Shift(shift) => {
                    // Only the end of a path is a shift: one that is free, of a volunteer with capacity left.
                    path.pop();
                    self.apply(root, &path, shift);
                    return true;
                }
            };
            if !advanced {
                path.pop();
                match path.last() {
                    Some(Node::Wish(wish)) => self.next_pair[at(*wish)] += 1,
                    Some(Node::Person(person)) => self.next_shift[at(*person)] += 1,
                    Some(Node::Shift(_)) | None => {}
                }
            }
        }
        false
    }

    fn enter_wish(&mut self, wish: u32, path: &mut Vec<Node>) {
        let here = at(wish);
        if self.seen_wish[here] != self.round {
            self.seen_wish[here] = self.round;
            self.next_pair[here] = self.market.first_pair[here];
        }
        path.push(Node::Wish(wish));
    }

    fn step_wish(&mut self, wish: u32, path: &mut Vec<Node>) -> bool {
        let end = self.market.pairs(wish).end;
        let bid = self.wish[at(wish)];
        while self.next_pair[at(wish)] < end {
            let pair = self.next_pair[at(wish)];
            let score = i32::from(self.market.score[at(pair)]);
            if score < bid {
                return false;
            }
            let shift = self.market.shift[at(pair)];
            if self.follow(pair, shift, score == bid - self.shift[at(shift)], path) {
                return true;
            }
            self.next_pair[at(wish)] += 1;
        }
        false
    }

    fn follow(&mut self, pair: u32, shift: u32, tight: bool, path: &mut Vec<Node>) -> bool {
        let here = at(shift);
        if !tight || self.taken[here] == pair || self.seen_shift[here] == self.round {
            return false;
        }
        self.seen_shift[here] = self.round;
        if self.taken[here] != NONE {
            return self.give_way(shift, path);
        }
        let person = self.market.owner[here];
        let who = at(person);
        if self.shift[here] != self.person[who] {
            return false;
        }
        if self.left[who] > 0 {
            path.push(Node::Shift(shift));
            return true;
        }
        if self.seen_person[who] == self.round {
            return false;
        }
        self.seen_person[who] = self.round;
        self.next_shift[who] = self.market.first_shift[who];
        path.push(Node::Person(person));
        true
    }

    /// The wish that holds a shift looks for another.
    fn give_way(&mut self, shift: u32, path: &mut Vec<Node>) -> bool {
        let pair = at(self.taken[at(shift)]);
        let wish = self.market.wish[pair];
        let tight = self.wish[at(wish)] - self.shift[at(shift)] == i32::from(self.market.score[pair]);
        if !tight || self.seen_wish[at(wish)] == self.round {
            return false;
        }
        self.enter_wish(wish, path);
        true
    }

    fn step_person(&mut self, person: u32, path: &mut Vec<Node>) -> bool {
        let end = self.market.shifts(person).end;
        while self.next_shift[at(person)] < end {
            let shift = self.next_shift[at(person)];
            let here = at(shift);
            let usable = self.taken[here] != NONE
                && self.seen_shift[here] != self.round
                && self.shift[here] == self.person[at(person)];
            if usable {
                self.seen_shift[here] = self.round;
                if self.give_way(shift, path) {
                    return true;
                }
            }
            self.next_shift[at(person)] += 1;
        }
        false
    }

    /// Turns a path into pairs: each wish on it moves to the shift that it looked at.
    fn apply(&mut self, root: u32, path: &[Node], last: u32) {
        for node in path {
            match *node {
                Node::Wish(wish) => {
                    let pair = self.next_pair[at(wish)];
                    self.taken[at(self.market.shift[at(pair)])] = pair;
                    // Not again in this round.
                    self.next_pair[at(wish)] += 1;
                }
                Node::Person(person) => {
                    let shift = self.next_shift[at(person)];
                    self.taken[at(shift)] = NONE;
                    self.next_shift[at(person)] += 1;
                }
                Node::Shift(_) => {}
            }
        }
        self.open[at(root)] -= 1;
        self.left[at(self.market.owner[at(last)])] -= 1;
    }

    /// Lowers the bids of open slots to the next level at which a path is met; false where nothing more is to be gained.
    fn lower(&mut self) -> bool {
        for wish in 0..number(self.open.len()) {
            if self.open[at(wish)] > 0 && !self.market.pairs(wish).is_empty() {
                self.reach(Node::Wish(wish), 0);
            }
        }
        let met = self.meet();
        self.buckets.iter_mut().for_each(Vec::clear);
        let drop = met.unwrap_or(self.level);
        for node in std::mem::take(&mut self.touched) {
            let (potential, reached) = match node {
                Node::Wish(wish) => (&mut self.wish[at(wish)], &mut self.reached_wish[at(wish)]),
                Node::Shift(shift) => (&mut self.shift[at(shift)], &mut self.reached_shift[at(shift)]),
                Node::Person(person) => (&mut self.person[at(person)], &mut self.reached_person[at(person)]),
            };
            if *reached < drop {
                *potential -= drop - *reached;
            }
            *reached = FAR;
        }
        self.level -= drop;
        met.is_some()
    }

    /// The least distance at which a volunteer with capacity left is reached.
    fn meet(&mut self) -> Option<i32> {
        for distance in 0..self.level {
            let mut next = 0;
            while let Some(node) = self.buckets[bucket(distance)].get(next).copied() {
                next += 1;
                if self.reached(node) == distance && self.expand(node, distance) {
                    return Some(distance);
                }
            }
        }
        None
    }

    fn reached(&self, node: Node) -> i32 {
        match node {
            Node::Wish(wish) => self.reached_wish[at(wish)],
            Node::Shift(shift) => self.reached_shift[at(shift)],
            Node::Person(person) => self.reached_person[at(person)],
        }
    }

    fn reach(&mut self, node: Node, distance: i32) {
        let reached = match node {
            Node::Wish(wish) => &mut self.reached_wish[at(wish)],
            Node::Shift(shift) => &mut self.reached_shift[at(shift)],
            Node::Person(person) => &mut self.reached_person[at(person)],
        };
        if distance >= *reached || distance >= self.level {
            return;
        }
        if *reached == FAR {
            self.touched.push(node);
        }
        *reached = distance;
        self.buckets[bucket(distance)].push(node);
    }

    /// Reaches what lies behind a node; true where it is a volunteer with capacity left.
    fn expand(&mut self, node: Node, distance: i32) -> bool {
        match node {
            Node::Wish(wish) => {
                let bid = self.wish[at(wish)];
                for pair in self.market.pairs(wish) {
                    let score = i32::from(self.market.score[at(pair)]);
                    if distance + bid - score >= self.level {
                        break;
                    }
                    let shift = self.market.shift[at(pair)];
                    if self.taken[at(shift)] != pair {
                        self.reach(Node::Shift(shift), distance + bid - score - self.shift[at(shift)]);
                    }
                }
                false
            }
            Node::Shift(shift) => {
                self.expand_shift(shift, distance);
                false
            }
            Node::Person(person) => {
                if self.left[at(person)] > 0 {
                    return true;
                }
                for shift in self.market.shifts(person) {
                    if self.taken[at(shift)] != NONE {
                        let further = self.person[at(person)] - self.shift[at(shift)];
                        self.reach(Node::Shift(shift), distance + further);
                    }
                }
                false
            }
        }
    }

    fn expand_shift(&mut self, shift: u32, distance: i32) {
        let here = at(shift);
        match self.taken[here] {
            NONE => {
                let person = self.market.owner[here];
                self.reach(Node::Person(person), distance + self.shift[here] - self.person[at(person)]);
            }
            pair => {
                let wish = self.market.wish[at(pair)];
                let further = self.shift[here] + i32::from(self.market.score[at(pair)]) - self.wish[at(wish)];
                self.reach(Node::Wish(wish), distance + further);
            }
        }
    }
}
