use crate::{BarInterval, Depth, PriceStep, Speed};

/// Identifies what of a channel a message shows: 0 is the full raw stream, any other number
/// stands for a depth, a speed and a grouping.
///
/// Opaque to clients, who are told it in the answer to their subscription. It is
/// `depth code << 28 | speed code << 25 | 25 bits of a hash of the price step` (0 without one). Bars
/// have the code of their interval in the place of the depth's, so none of them is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(transparent)]
pub struct View(pub u32);

/// What a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ViewParams {
    /// How many levels a side.
    pub depth: Depth,
    /// How often at most.
    pub speed: Speed,
    /// The price step that levels are rounded to.
    pub group: Option<PriceStep>,
    /// How long a bar is, of bars only.
    pub interval: Option<BarInterval>,
}

const DEPTH_SHIFT: u32 = 28;
const SPEED_SHIFT: u32 = 25;
const GROUP_MASK: u32 = (1 << SPEED_SHIFT) - 1;

impl View {
    /// The whole channel, record by record.
    pub const FULL_RAW: Self = Self(0);
}

impl ViewParams {
    /// The number of this view; the same on every node.
    #[must_use]
    pub fn view(self) -> View {
        let group = self.group.map_or(0, group_code);
        let depth = self.interval.map_or(self.depth.code(), BarInterval::code);
        View(depth << DEPTH_SHIFT | self.speed.code() << SPEED_SHIFT | group)
    }
}

impl From<ViewParams> for View {
    fn from(params: ViewParams) -> Self {
        params.view()
    }
}

/// 25 bits that are never 0, which means "not grouped".
///
/// Two of the few steps that one instrument is watched at have odds of one in 33 million to meet.
fn group_code(step: PriceStep) -> u32 {
    let hash = step
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    // FNV-1a folds its high bits in by xor where fewer than 32 are wanted.
    ((hash >> SPEED_SHIFT) ^ (hash & GROUP_MASK)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_full_raw_stream_is_view_zero() {
        assert_eq!(ViewParams::default().view(), View::FULL_RAW);
    }

    #[test]
    fn every_combination_has_a_view_of_its_own() {
        let groups = ["0.01", "0.1", "0.5", "1", "5", "10", "100"]
            .map(|text| Some(PriceStep::parse(text).unwrap()));
        let mut views = HashSet::new();
        for depth in Depth::ALL {
            for speed in Speed::ALL {
                for group in groups.into_iter().chain([None]) {
                    assert!(
                        views.insert(
                            ViewParams {
                                depth,
                                speed,
                                group,
                                interval: None,
                            }
                            .view()
                        )
                    );
                }
            }
        }
    }

    #[test]
    fn a_view_has_its_documented_bits() {
        let view = ViewParams {
            depth: Depth::D50,
            speed: Speed::Ms100,
            group: None,
            interval: None,
        }
        .view();
        assert_eq!(view, View(5 << 28 | 2 << 25));
    }

    #[test]
    fn every_interval_and_speed_of_bars_has_a_view_of_its_own() {
        let mut views = HashSet::new();
        for interval in BarInterval::ALL {
            for speed in Speed::ALL {
                let params = ViewParams {
                    speed,
                    interval: Some(interval),
                    ..ViewParams::default()
                };
                assert!(views.insert(params.view()));
                assert_ne!(params.view(), View::FULL_RAW);
            }
        }
    }
}
