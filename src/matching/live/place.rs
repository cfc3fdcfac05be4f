//! Where somebody or something is, no more exactly than volunteers are told.

use crate::task::check::Point;

/// Beyond this somebody is elsewhere: the place is of another city, or was mistyped.
const FAR_M: f64 = 100_000.0;

/// A place to three digits of a degree, about a hundred metres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    lat: i32,
    lon: i32,
}

impl Spot {
    /// `None` where a coordinate is missing or is none on this planet, or where it is the point of no coordinates, 0 and 0.
    pub(super) fn of(lat: Option<f64>, lon: Option<f64>) -> Option<Self> {
        let (lat, lon) = lat.zip(lon)?;
        let here = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) && (lat, lon) != (0.0, 0.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most 180,000 either way")]
        let rough = |degrees: f64| (degrees * 1_000.0).round() as i32;
        here.then(|| Self { lat: rough(lat), lon: rough(lon) })
    }

    /// Whole hundreds of metres; `None` where the other is too far away to be meant.
    pub(super) fn metres_to(self, other: Self) -> Option<i64> {
        let point = |spot: Self| Point { lat: f64::from(spot.lat) / 1_000.0, lon: f64::from(spot.lon) / 1_000.0 };
        let metres = point(self).metres_to(point(other));
        #[expect(clippy::cast_possible_truncation, reason = "not beyond the limit")]
        (metres <= FAR_M).then(|| (metres / 100.0).round() as i64 * 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Spot;

    #[test]
    fn what_is_no_place_is_none() {
        for (lat, lon) in
            [(None, Some(119.6)), (Some(91.0), Some(119.6)), (Some(39.9), Some(f64::NAN)), (Some(0.0), Some(0.0))]
        {
            assert_eq!(Spot::of(lat, lon), None);
        }
    }

    #[test]
    fn another_city_is_not_near() {
        let spot = |lat, lon| Spot::of(Some(lat), Some(lon)).unwrap();
        assert_eq!(spot(39.935_54, 119.600_46).metres_to(spot(39.945, 119.6)), Some(1_000));
        assert_eq!(spot(39.93, 119.6).metres_to(spot(31.2, 121.5)), None);
    }
}
