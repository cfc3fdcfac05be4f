//! The coded lists there are.

/// One coded list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    pub name: &'static str,
    /// The list that parents are of; none: a flat list.
    pub parents: Option<&'static str>,
    /// Whether staff may add to it: the points categories and the steps of stars are fixed by the design.
    pub open: bool,
    /// Whether `codes.csv` of a data set has it.
    pub in_sets: bool,
}

const fn list(name: &'static str, parents: Option<&'static str>) -> List {
    List { name, parents, open: true, in_sets: true }
}

/// All of them.
pub const LISTS: [List; 12] = [
    List { open: false, ..list("category", None) },
    list("skill", Some("skill")),
    list("domain", Some("domain")),
    list("special_class", None),
    list("special_group", Some("special_class")),
    List { in_sets: false, ..list("hazard", None) },
    List { in_sets: false, ..list("training", None) },
    list("channel", None),
    list("handling", None),
    list("feedback", None),
    list("issue_type", Some("issue_type")),
    List { open: false, ..list("star", None) },
];

impl List {
    /// The list of this name.
    pub fn named(name: &str) -> Option<Self> {
        LISTS.into_iter().find(|list| list.name == name)
    }
}
