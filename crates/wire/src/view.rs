use crate::{BarInterval, Depth, PriceStep, Speed};

/// Identifies what a stream shows of its channel: 0 is the full raw stream; any other number
/// stands for a depth, a speed and a grouping.
///
/// Opaque to clients, which learn it from the answer to their subscription. It is
/// `depth code << 28 | speed code << 25 | 25 bits of a hash of the price step` (0 if there is none). For bars,
/// the code of the interval replaces that of the depth, so none of them is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(transparent)]
pub struct View(pub u32);

/// The parameters of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ViewParams {
    /// Levels per side.
    pub depth: Depth,
    /// The shortest interval between updates.
    pub speed: Speed,
    /// The price step that levels are grouped by.
    pub group: Option<PriceStep>,
    /// The length of a bar; for bars only.
    pub interval: Option<BarInterval>,
}

const DEPTH_SHIFT: u32 = 28;
const SPEED_SHIFT: u32 = 25;
const GROUP_MASK: u32 = (1 << SPEED_SHIFT) - 1;

impl View {
    /// The full raw stream: the whole channel, record by record.
    pub const FULL_RAW: Self = Self(0);
}

impl ViewParams {
    /// The number of this view, the same on every node.
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

/// 25 bits that are never 0, since 0 means "not grouped".
///
/// The odds that two of the few steps in use for an instrument collide are one in 33 million.
fn group_code(step: PriceStep) -> u32 {
    let hash = step
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    // To shorten an FNV-1a hash, its high bits are xored into the low ones.
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
