//! What is known about a member, as it is stored and as it is shown.

use entity::member;

/// A member's facets, in the contract's names.
pub fn capacities(member: &member::Model) -> Vec<&'static str> {
    [(member.is_resident, "resident"), (member.is_volunteer, "volunteer"), (member.is_party_member, "party_member")]
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect()
}
