//! `deploy/README.md`: what it names is there.

use super::{deploy, files, read};

#[test]
fn every_file_that_the_guide_names_is_there_and_every_folder_is_named() {
    let guide = read(&deploy("README.md"));
    let links = guide.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links: Vec<_> = links.filter(|link| !link.contains("://") && !link.starts_with('#')).collect();
    for link in &links {
        let (file, _) = link.split_once('#').unwrap_or((link, ""));
        assert!(deploy(file).exists(), "{link}");
    }
    for file in files(&deploy("")) {
        let file = file.strip_prefix(deploy("")).unwrap().to_str().unwrap().to_owned();
        let part = file.split('/').next().unwrap();
        assert!(
            part == "README.md" || links.iter().any(|link| link.starts_with(part)),
            "the guide does not name {part}"
        );
    }
}
