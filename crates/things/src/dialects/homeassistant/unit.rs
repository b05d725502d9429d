/// A unit in the words of a description.
pub fn unit(text: &str) -> String {
    text.to_owned()
}
