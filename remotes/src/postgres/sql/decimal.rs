//! `numeric`: decimal numbers that are exact, up to 38 digits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Digits behind the point that are kept at most.
const MOST_SCALE: u32 = 20;
/// Digits behind the point of a quotient, at least, as in PostgreSQL.
const QUOTIENT_SCALE: u32 = 16;

/// `units / 10^scale`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    pub(crate) fn new(units: i128, scale: u32) -> Self {
        Self { units, scale }
    }

    pub(crate) fn from_int(value: i64) -> Self {
        Self { units: value.into(), scale: 0 }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.units == 0
    }

    /// With so many digits behind the point, the last one rounded away from zero.
    pub(crate) fn rounded(self, scale: u32) -> Option<Self> {
        if scale >= self.scale {
            return Some(Self { units: self.units.checked_mul(power(scale - self.scale)?)?, scale });
        }
        let divisor = power(self.scale - scale)?;
        let (quotient, rest) = (self.units / divisor, self.units % divisor);
        let up = if rest.unsigned_abs() * 2 >= divisor.unsigned_abs() { rest.signum() } else { 0 };
        Some(Self { units: quotient + up, scale })
    }

    /// To the nearest integer.
    pub(crate) fn to_int(self) -> Option<i64> {
        i64::try_from(self.rounded(0)?.units).ok()
    }

    pub(crate) fn negated(self) -> Option<Self> {
        Some(Self { units: self.units.checked_neg()?, ..self })
    }

    /// Without the zeros at its end, which say nothing.
    fn normal(self) -> Self {
        let Self { mut units, mut scale } = self;
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        Self { units, scale }
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        Some((self.rounded(scale)?.units, other.rounded(scale)?.units, scale))
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { units: a.checked_add(b)?, scale })
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated()?)
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        let product = Self { units: self.units.checked_mul(other.units)?, scale: self.scale + other.scale };
        if product.scale > MOST_SCALE { product.rounded(MOST_SCALE) } else { Some(product) }
    }

    /// None too if the divisor is zero.
    pub(crate) fn over(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale).max(QUOTIENT_SCALE);
        // One digit more than is kept, to round by.
        let lift = power(scale + 1 + other.scale - self.scale)?;
        let units = self.units.checked_mul(lift)?.checked_div(other.units)?;
        Self { units, scale: scale + 1 }.rounded(scale)
    }

    /// None too if the divisor is zero.
    pub(crate) fn remainder(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { units: a.checked_rem(b)?, scale })
    }

    /// Seconds, for a pause; no more than `most`.
    pub(crate) fn to_duration(self, most: std::time::Duration) -> std::time::Duration {
        let millis = self.times(Self::from_int(1000)).and_then(Self::to_int).unwrap_or(i64::MAX);
        std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(most)
    }

    /// PostgreSQL's binary form: groups of four digits, the weight of the first, the sign, the scale.
    pub(crate) fn binary(self) -> Vec<u8> {
        const NEGATIVE: i16 = 0x4000;
        // The point lies between two groups: what stands behind it is filled up to whole ones.
        let (odd, fill) = (self.scale % 4, (4 - self.scale % 4) % 4);
        let mut rest = self.units.unsigned_abs();
        let mut groups: Vec<i16> = Vec::new();
        let mut push = |group: u128| groups.push(i16::try_from(group).unwrap_or(0));
        if odd > 0 {
            push(rest % 10_u128.pow(odd) * 10_u128.pow(fill));
            rest /= 10_u128.pow(odd);
        }
        while rest > 0 {
            push(rest % 10_000);
            rest /= 10_000;
        }
        let behind = i64::from((self.scale + fill) / 4);
        let weight = i64::try_from(groups.len()).unwrap_or(0) - 1 - behind;
        groups.reverse();
        let head = [
            i16::try_from(groups.len()).unwrap_or(0),
            i16::try_from(weight).unwrap_or(0),
            if self.units < 0 { NEGATIVE } else { 0 },
            i16::try_from(self.scale).unwrap_or(0),
        ];
        head.into_iter().chain(groups).flat_map(i16::to_be_bytes).collect()
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.normal(), other.normal());
        match a.aligned(b) {
            Some((a, b, _)) => a.cmp(&b),
            // One of them is so large that the other's digits behind the point do not matter.
            None => (a.units / 10_i128.pow(a.scale)).cmp(&(b.units / 10_i128.pow(b.scale))),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = self.units.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let divisor = 10_u128.pow(self.scale);
        write!(f, "{sign}{}.{:0width$}", digits / divisor, digits % divisor, width = self.scale as usize)
    }
}

/// It is no number, or one with too many digits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoDecimal;

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{behind}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NoDecimal);
        }
        let units: i128 = all.parse().map_err(|_| NoDecimal)?;
        let scale = u32::try_from(behind.len()).map_err(|_| NoDecimal)?;
        let decimal = Self { units: sign * units, scale };
        if scale > MOST_SCALE { decimal.rounded(MOST_SCALE).ok_or(NoDecimal) } else { Ok(decimal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn arithmetic_is_exact() {
        let shown = |value: Option<Decimal>| value.unwrap().to_string();
        assert_eq!(shown(decimal("0.1").plus(decimal("0.2"))), "0.3");
        assert_eq!(shown(decimal("1.50").times(decimal("-2"))), "-3.00");
        assert_eq!(shown(decimal("1").over(decimal("3"))), "0.3333333333333333");
        assert_eq!(shown(decimal("2").over(decimal("3"))), "0.6666666666666667");
        assert_eq!(shown(decimal("-7.5").remainder(decimal("2"))), "-1.5");
        assert_eq!(shown(decimal("-2.5").rounded(0)), "-3");
        assert_eq!(shown(decimal("-0.05").rounded(1)), "-0.1");
        assert!(decimal("1").over(decimal("0")).is_none());
        assert!(decimal(&"9".repeat(38)).times(decimal("99")).is_none());
        assert_eq!(decimal("1.0"), decimal("1"));
        assert!(decimal("-0.5") < decimal("0") && decimal("1.5") < decimal(&"9".repeat(38)));
        assert!("1.".parse::<Decimal>().is_ok());
        for wrong in ["", ".", "1e5", "--1", "1.2.3", "x", &"9".repeat(40)] {
            assert_eq!(wrong.parse::<Decimal>(), Err(NoDecimal), "{wrong}");
        }
    }

    #[test]
    fn the_binary_form_is_postgresqls() {
        // As PostgreSQL 15 sends them: digits, weight, sign, scale, then the digits.
        let words = |text: &str| -> Vec<i16> {
            decimal(text).binary().chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        assert_eq!(words("0"), [0, -1, 0, 0]);
        assert_eq!(words("12345.678"), [3, 1, 0, 3, 1, 2345, 6780]);
        assert_eq!(words("-0.05"), [1, -1, 0x4000, 2, 500]);
        assert_eq!(words("10000"), [2, 1, 0, 0, 1, 0]);
    }
}
