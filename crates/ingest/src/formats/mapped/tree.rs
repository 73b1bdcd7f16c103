use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, Repeated, TapePos};

/// All pointers of a mapping as a tree, so that one walk over a record finds all fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree {
    /// The field at this position.
    slot: Option<Slot>,
    branches: Vec<Branch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Branch {
    step: String,
    /// The step as an index of an array.
    index: Option<usize>,
    tree: Tree,
}

/// Defines the fields of messages, and the positions at which they were found.
macro_rules! slots {
    ($($field:ident = $slot:ident,)*) => {
        /// A field that a mapping points to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Slot {
            $($slot,)*
        }

        /// The positions of the fields of a message.
        #[derive(Default)]
        pub(super) struct Found {
            $(pub(super) $field: Field,)*
            repeated: Repeated,
        }

        impl Found {
            fn note(&mut self, slot: Slot, pos: TapePos) {
                let field = match slot {
                    $(Slot::$slot => &mut self.$field,)*
                };
                self.repeated.note(field, pos);
            }
        }
    };
}

slots! {
    kind = Kind,
    symbol = Symbol,
    time = Time,
    seq = Seq,
    prev_seq = PrevSeq,
    first_seq = FirstSeq,
    bids = Bids,
    asks = Asks,
    levels = Levels,
    trades = Trades,
    trade_price = TradePrice,
    trade_size = TradeSize,
    trade_side = TradeSide,
    trade_id = TradeId,
    trade_time = TradeTime,
}

impl Found {
    /// Returns an error if a field occurs twice.
    pub(super) fn ensure_unique(&self) -> Result<(), Fault> {
        self.repeated.ensure_none()
    }
}

impl Tree {
    /// Adds a pointer. Returns whether no other pointer has the same position.
    pub(super) fn add(&mut self, steps: &[String], slot: Slot) -> bool {
        let Some((step, rest)) = steps.split_first() else {
            return self.slot.replace(slot).is_none();
        };
        let known = self.branches.iter().position(|branch| branch.step == *step);
        let at = known.unwrap_or_else(|| {
            let is_index = *step == "0" || !step.starts_with('0');
            self.branches.push(Branch {
                step: step.clone(),
                index: step.parse().ok().filter(|_: &usize| is_index),
                tree: Self::default(),
            });
            self.branches.len() - 1
        });
        self.branches[at].tree.add(rest, slot)
    }

    /// Finds all fields of a record.
    pub(super) fn find(&self, document: &Document<'_, '_>) -> Found {
        self.find_from(document, ROOT)
    }

    /// Finds all fields of a part of a record.
    pub(super) fn find_from(&self, document: &Document<'_, '_>, pos: TapePos) -> Found {
        let mut found = Found::default();
        self.walk(document, pos, &mut found);
        found
    }

    fn walk(&self, document: &Document<'_, '_>, pos: TapePos, found: &mut Found) {
        if let Some(slot) = self.slot {
            found.note(slot, pos);
        }
        if self.branches.is_empty() {
            return;
        }
        match document.node(pos) {
            Node::Object { .. } => {
                for (key, value) in document.members(pos).into_iter().flatten() {
                    let named = |branch: &&Branch| branch.step == key;
                    if let Some(branch) = self.branches.iter().find(named) {
                        branch.tree.walk(document, value, found);
                    }
                }
            }
            Node::Array { .. } => {
                for (at, value) in document.elements(pos).into_iter().flatten().enumerate() {
                    let named = |branch: &&Branch| branch.index == Some(at);
                    if let Some(branch) = self.branches.iter().find(named) {
                        branch.tree.walk(document, value, found);
                    }
                    if self.branches.iter().all(|branch| branch.index <= Some(at)) {
                        break;
                    }
                }
            }
            Node::String(_) | Node::Static(_) => {}
        }
    }
}
