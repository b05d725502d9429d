use serde_json::Value;

use super::elements;
use crate::td::problem::Problem;

/// A thing is made from one model at most: `rel=type` stands once [TD 1.1, section 9.4, step 3].
pub(super) fn check(document: &Value, problems: &mut Vec<Problem>) {
    let types = elements(document, "links").filter(|(_, link)| link["rel"] == "type");
    for (index, _) in types.skip(1) {
        let says = "is a second link with rel=type; at most one may lead to a Thing Model";
        problems.push(Problem::new(format!("links.{index}"), says));
    }
}
