//! From a location to the addresses that may be asked for it.

use std::path::{Component, Path, PathBuf};

use docket_core::location::Location;

use super::SourceConfig;
use crate::outcome::JobError;
use crate::rejection::Rejection;

/// Where to fetch from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Addresses to try, in this order.
    pub(super) candidates: Vec<String>,
    /// The only scheme git may speak.
    pub(super) scheme: String,
    /// Folder of the package.
    pub(super) subdir: Option<String>,
}

/// Returns where to fetch `location` from, or the reason why this registry does not.
pub(super) fn of(config: &SourceConfig, location: &Location) -> Result<Source, Rejection> {
    let (candidates, subdir) = match location {
        Location::GitHub { owner, repo, subdir } => {
            for part in [owner, repo] {
                check_part(part)?;
            }
            let base = format!("{}/{owner}/{repo}", config.github_url.trim_end_matches('/'));
            let bare = format!("{base}.git");
            (
                if repo.ends_with(".git") {
                    vec![base]
                } else {
                    vec![base, bare]
                },
                subdir,
            )
        }
        Location::Git { url, .. } if !config.allow_git_locations => {
            return Err(Rejection::GitLocation(url.to_string()));
        }
        Location::Git { url, subdir } => {
            check_host(config, url)?;
            (vec![url.to_string()], subdir)
        }
    };
    if let Some(subdir) = subdir {
        if !config.allow_git_locations {
            return Err(Rejection::Subdir(subdir.to_string()));
        }
        if !stays_inside(Path::new(subdir)) {
            return Err(Rejection::SubdirMissing(subdir.to_string()));
        }
    }
    let scheme = candidates[0]
        .split_once("://")
        .map_or("file", |(scheme, _)| scheme)
        .to_ascii_lowercase();
    Ok(Source {
        candidates,
        scheme,
        subdir: subdir.clone(),
    })
}

/// Resolves the folder of a package; links on the way must not lead out of `root`.
pub(super) fn package_dir(root: &Path, subdir: &str) -> Result<PathBuf, JobError> {
    let missing = || Rejection::SubdirMissing(subdir.to_owned());
    let inside = root.canonicalize().map_err(JobError::local("read the source"))?;
    let dir = root.join(subdir).canonicalize().map_err(|_| missing())?;
    if dir.starts_with(&inside) && dir.is_dir() {
        Ok(dir)
    } else {
        Err(missing().into())
    }
}

/// GitHub's own alphabet for owners and repositories, so that a part can never climb to another path.
fn check_part(part: &str) -> Result<(), Rejection> {
    let fits = !part.is_empty()
        && part != "."
        && part != ".."
        && !part.starts_with('-')
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits {
        Ok(())
    } else {
        Err(Rejection::RepositoryNotAccessible(part.to_owned()))
    }
}

fn check_host(config: &SourceConfig, url: &str) -> Result<(), Rejection> {
    let refused = || Rejection::HostNotAllowed(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
    let host = rest.split('/').next().unwrap_or_default();
    let known_scheme = ["git", "http", "https"].contains(&scheme);
    let known_host = config.git_hosts.is_empty() || config.git_hosts.iter().any(|allowed| allowed == host);
    if known_scheme && known_host && !host.is_empty() && !host.contains('@') {
        Ok(())
    } else {
        Err(refused())
    }
}

fn stays_inside(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn github(subdir: Option<&str>) -> Location {
        Location::GitHub {
            owner: "lab".into(),
            repo: "demo".into(),
            subdir: subdir.map(Into::into),
        }
    }

    fn git(url: &str) -> Location {
        Location::Git {
            url: url.into(),
            subdir: None,
        }
    }

    #[test]
    fn a_github_location_is_tried_with_and_without_git_suffix() {
        let config = SourceConfig {
            github_url: "file:///srv/git/".into(),
            ..SourceConfig::default()
        };
        let source = of(&config, &github(None)).unwrap();
        assert_eq!(
            source.candidates,
            ["file:///srv/git/lab/demo", "file:///srv/git/lab/demo.git"]
        );
        assert_eq!(source.scheme, "file");
    }

    #[test]
    fn plain_git_locations_and_folders_need_the_switch() {
        let config = SourceConfig::default();
        assert!(matches!(
            of(&config, &git("https://example.org/x.git")),
            Err(Rejection::GitLocation(_))
        ));
        assert!(matches!(
            of(&config, &github(Some("lib"))),
            Err(Rejection::Subdir(_))
        ));
        let config = SourceConfig {
            allow_git_locations: true,
            ..config
        };
        assert_eq!(
            of(&config, &git("https://example.org/x.git")).unwrap().scheme,
            "https"
        );
        assert_eq!(
            of(&config, &github(Some("lib"))).unwrap().subdir.as_deref(),
            Some("lib")
        );
        assert!(matches!(
            of(&config, &github(Some("../lib"))),
            Err(Rejection::SubdirMissing(_))
        ));
    }

    #[test]
    fn only_configured_hosts_are_fetched_from() {
        let config = SourceConfig {
            allow_git_locations: true,
            git_hosts: vec!["git.example.org".into()],
            ..SourceConfig::default()
        };
        assert!(of(&config, &git("https://git.example.org/x.git")).is_ok());
        for bad in [
            "https://169.254.169.254/x.git",
            "https://git.example.org@evil.example/x",
            "ext::sh -c id",
        ] {
            assert!(
                matches!(of(&config, &git(bad)), Err(Rejection::HostNotAllowed(_))),
                "{bad}"
            );
        }
    }
}
