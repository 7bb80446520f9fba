//! The shell on a CIB in a file.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) const CIB: &str = r#"<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config/>
    <nodes>
      <node id="1" uname="node1"/>
      <node id="2" uname="node2"/>
    </nodes>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>
"#;

/// A CIB in a file, and the shell that works on it.
pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
}

/// What a call printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) status: i32,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("cib.xml"), CIB).expect("written");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn cib(&self) -> String {
        fs::read_to_string(self.path("cib.xml")).expect("a CIB")
    }

    pub(crate) fn call(&self, words: &[&str], input: &str, editor: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hafen"))
            .arg("crm")
            .args(words)
            .env("CIB_file", self.path("cib.xml"))
            .env("CIB_shadow_dir", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("EDITOR", editor)
            .env_remove("CIB_shadow")
            .env_remove("VISUAL")
            .env_remove("CRM_EDITOR")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // One that fails early reads nothing.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Said {
            out: text(output.stdout),
            err: text(output.stderr),
            status: output.status.code().unwrap_or(-1),
        }
    }

    pub(crate) fn crm(&self, words: &str) -> Said {
        let words: Vec<&str> = words.split(' ').collect();
        self.call(&words, "", "false")
    }

    pub(crate) fn script(&self, text: &str) -> Said {
        self.call(&[], text, "false")
    }

    /// What succeeds.
    pub(crate) fn done(&self, words: &str) -> String {
        let said = self.crm(words);
        assert_eq!(said.status, 0, "crm {words}: {said:?}");
        said.out
    }

    pub(crate) fn shown(&self) -> String {
        self.done("configure show").replace(" \\\n\t", " ")
    }
}
