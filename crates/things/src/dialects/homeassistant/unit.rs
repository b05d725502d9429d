/// A unit in the words of a description: UCUM, if it is known.
pub fn unit(text: &str) -> String {
    super::super::units::ucum(text).unwrap_or(text).to_owned()
}
