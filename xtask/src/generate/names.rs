//! Names of the models turned into Rust's.

/// Splits at case changes and at anything that is no letter or digit: `EFSVolumeARNs` -> EFS, Volume, ARNs.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        let rises = before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit());
        let ends_acronym = before.is_some_and(|before| before.is_ascii_uppercase())
            && after.is_ascii_lowercase()
            && !is_plural_end(&letters[at + 1..]);
        if letter.is_ascii_uppercase() && (rises || ends_acronym) {
            words.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The `s` of `ARNs`, and not the beginning of a word.
fn is_plural_end(rest: &[char]) -> bool {
    rest.first() == Some(&'s') && rest.get(1).is_none_or(|next| !next.is_ascii_lowercase())
}

/// `cpuCount` -> `cpu_count`.
pub(crate) fn snake(name: &str) -> String {
    // FSx is one word, the only one with such a capital.
    words(&name.replace("FSx", "Fsx")).join("_").to_ascii_lowercase()
}

/// A field or module name, escaped where Rust keeps the word for itself.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "ref" | "match" | "in" | "use" | "move" | "static" | "where" | "for" => format!("r#{snake}"),
        _ => snake,
    }
}

/// `EFSVolume` -> `EfsVolume`.
pub(crate) fn camel(name: &str) -> String {
    let capital = |word: String| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    words(&name.replace("FSx", "Fsx")).into_iter().map(capital).collect()
}

/// `service-name` -> `SERVICE_NAME`.
pub(crate) fn constant(name: &str) -> String {
    let constant = snake(name).to_ascii_uppercase();
    if constant.starts_with(|first: char| first.is_ascii_digit()) { format!("_{constant}") } else { constant }
}

/// The first word in lower case, by which shared shapes are put into files.
pub(crate) fn first_word(name: &str) -> String {
    snake(name).split('_').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acronyms_and_their_plurals_are_words() {
        assert_eq!(snake("containerInstanceARNs"), "container_instance_arns");
        assert_eq!(snake("efsVolumeConfiguration"), "efs_volume_configuration");
        assert_eq!(camel("EFSVolumeConfiguration"), "EfsVolumeConfiguration");
        assert_eq!(camel("FSxWindowsFileServerVolumeConfiguration"), "FsxWindowsFileServerVolumeConfiguration");
        assert_eq!(snake("ipv6Address"), "ipv6_address");
        assert_eq!(constant("service-name"), "SERVICE_NAME");
    }

    #[test]
    fn words_that_rust_keeps_are_escaped() {
        assert_eq!(field("type"), "r#type");
        assert_eq!(field("Default"), "default");
    }
}
