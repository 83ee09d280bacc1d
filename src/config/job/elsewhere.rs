//! Places of bars that are not read, each with the way to a file that is.

/// A place that is not read.
pub(super) struct Elsewhere {
    schemes: &'static [&'static str],
    pub(super) what: &'static str,
    /// What to do.
    pub(super) way_out: &'static str,
}

const ELSEWHERE: &[Elsewhere] = &[
    Elsewhere {
        schemes: &["s3", "s3a", "s3n"],
        what: "a bucket of S3",
        way_out: "copy the files here with `aws s3 cp --recursive` (or `aws s3 sync`), and name the folder",
    },
    Elsewhere {
        schemes: &["gs", "gcs"],
        what: "a bucket of Google Cloud Storage",
        way_out: "copy the files here with `gcloud storage cp -r`, and name the folder",
    },
    Elsewhere {
        schemes: &["az", "abfs", "abfss", "adl", "wasb", "wasbs"],
        what: "a container of Azure",
        way_out: "copy the files here with `azcopy copy`, and name the folder",
    },
    Elsewhere {
        schemes: &["http", "https", "ftp"],
        what: "an address of the web",
        way_out: "fetch the file with `curl -LO`, and name it",
    },
    Elsewhere {
        schemes: &["mongodb", "mongodb+srv"],
        what: "a server of MongoDB among files",
        way_out: "write `[source.mongodb]` instead",
    },
    Elsewhere {
        schemes: &["hf"],
        what: "a data set of Hugging Face",
        way_out: "fetch it with `hf download --repo-type dataset`, and name the folder",
    },
];

const STDIN: Elsewhere = Elsewhere {
    schemes: &[],
    what: "standard input",
    way_out: "write it into a file first: what is read twice has to stay the same",
};

const OTHER: Elsewhere =
    Elsewhere { schemes: &[], what: "this kind of address", way_out: "copy the files here, and name the folder" };

/// The place that `path` is in, if it is none that is read.
pub(super) fn elsewhere(path: &str) -> Option<&'static Elsewhere> {
    if path == "-" {
        return Some(&STDIN);
    }
    let (scheme, _) = path.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "file" || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return None;
    }
    ELSEWHERE.iter().find(|place| place.schemes.contains(&scheme.as_str())).or(Some(&OTHER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_not_read_are_known_by_their_scheme() {
        for (path, what) in [
            ("s3://bucket/*.parquet", "a bucket of S3"),
            ("gs://b/a.csv", "a bucket of Google Cloud Storage"),
            ("az://c/a.csv", "a container of Azure"),
            ("HTTPS://example.com/a.csv", "an address of the web"),
            ("hf://datasets/x", "a data set of Hugging Face"),
            ("odd+scheme://x", "this kind of address"),
            ("-", "standard input"),
        ] {
            assert_eq!(elsewhere(path).unwrap().what, what, "{path}");
        }
        for path in ["file:///a.csv", "data/a.csv", "~/a.csv", "a b://c", "/x/-"] {
            assert!(elsewhere(path).is_none(), "{path}");
        }
    }
}
