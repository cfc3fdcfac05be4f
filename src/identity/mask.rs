//! How people are shown to those who need not know who they are.

/// A name by its first character: 张三丰 → 张*. An erased person has none and is *.
pub fn name(name: Option<&str>) -> String {
    let first = name.and_then(|name| name.trim().chars().next());
    first.map(String::from).unwrap_or_default() + "*"
}

/// A phone by its first seven digits, as public helper lists print it: 13561501234 → 1356150****.
pub fn phone(phone: &str) -> String {
    let shown: String = phone.chars().take(7).collect();
    let hidden = phone.chars().count().saturating_sub(7);
    shown + &"*".repeat(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_first_character() {
        assert_eq!(name(Some("张三丰")), "张*");
        assert_eq!(name(Some("𬱖颔")), "𬱖*");
        assert_eq!(name(Some("Li Wei")), "L*");
        assert_eq!(name(Some("")), "*");
        assert_eq!(name(None), "*");
    }

    #[test]
    fn a_phone_loses_its_last_four_digits() {
        assert_eq!(phone("13561501234"), "1356150****");
        assert_eq!(phone("135"), "135");
    }
}
