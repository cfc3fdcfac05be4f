use super::*;
use rstest::rstest;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn load_file(content: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linli.toml");
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap();
    load(&[&[("LINLI_CONFIG", path)], more].concat())
}

#[test]
fn without_settings_the_defaults_of_the_contract_hold() {
    let config = load(&[("PATH", "/bin"), ("LINLI_TEST_DATABASE_URL", "x")]).unwrap();
    assert_eq!(config.sqlite_path(), Some("data/linli.db".into()));
    assert_eq!(config.bind, "127.0.0.1:8080");
    assert_eq!(config.timezone, chrono_tz::Asia::Shanghai);
    assert_eq!((config.min_free_mib, config.log.as_str()), (200, "info"));
    assert_eq!(config.wechat.base_url, "https://api.weixin.qq.com");
    assert!(config.trusted_proxies.is_empty() && config.sms.base_url.is_none() && !config.demo);
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let file = "LINLI_BIND = \"0.0.0.0:1\"\nLINLI_LOG = \"warn\"\nlinli_min_free_mib = 5\n";
    let config = load_file(file, &[("LINLI_LOG", "debug")]).unwrap();
    assert_eq!((config.bind.as_str(), config.log.as_str(), config.min_free_mib), ("0.0.0.0:1", "debug", 5));
}

#[test]
fn the_file_may_use_short_names_tables_and_lists() {
    let file = "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n[wechat]\nappid = \"wx1\"\nsecret = \"s\"\n";
    let config = load_file(file, &[]).unwrap();
    assert!(config.trusted_proxies.contains("10.1.2.3".parse().unwrap()));
    assert_eq!(config.wechat.appid.as_deref(), Some("wx1"));
}

#[test]
fn a_key_of_digits_stays_a_text() {
    let config = load(&[("LINLI_SMS_KEY", "0123"), ("LINLI_WECHAT_SECRET", "true")]).unwrap();
    assert_eq!(config.sms.key.unwrap().expose_secret(), "0123");
    assert_eq!(config.wechat.secret.unwrap().expose_secret(), "true");
}

#[rstest]
#[case("LINLI_DATABSE_URL", "sqlite://x.db")]
#[case("LINLI_DEMO", "true")]
#[case("LINLI_DATABASE_URL", "mysql://x")]
#[case("LINLI_DATABASE_URL", "sqlite::memory:")]
#[case("LINLI_DATABASE_URL", "postgres://localhost/linli")]
#[case("LINLI_BIND", "8080")]
#[case("LINLI_TIMEZONE", "Asia/Tangshan")]
#[case("LINLI_TRUSTED_PROXIES", "everyone")]
#[case("LINLI_MIN_FREE_MIB", "-1")]
#[case("LINLI_MIN_FREE_MIB", "1.5")]
#[case("LINLI_LOG", "linli=loud")]
#[case("LINLI_SECRET_KEY", "c2hvcnQ=")]
#[case("LINLI_SECRET_KEY", "not base64, however long it may be: !!!!!!!!!!!!!!!!!!!!!!!")]
#[case("LINLI_WECHAT_BASE_URL", "ftp://example")]
#[case("LINLI_SMS_BASE_URL", "example")]
#[case("LINLI_CONFIG", "/nowhere/linli.toml")]
fn what_cannot_be_is_refused(#[case] name: &str, #[case] value: &str) {
    assert!(load(&[(name, value)]).is_err());
}

#[rstest]
#[case("colour = \"red\"")]
#[case("[wechat]\ncolour = \"red\"")]
#[case("LINLI_BIND = \"0.0.0.0:1\"\nbind = \"0.0.0.0:2\"")]
#[case("LINLI_CONFIG = \"x\"")]
#[case("bind = ")]
fn what_cannot_be_in_a_file_is_refused(#[case] content: &str) {
    assert!(load_file(content, &[]).is_err());
}

#[test]
fn messages_and_debug_output_hold_no_secret() {
    let refused = load_file("secret_key = \"c2VjcmV0", &[]).unwrap_err().to_string();
    assert!(!refused.contains("c2VjcmV0"), "{refused}");
    let refused = load(&[("LINLI_SECRET_KEY", "c2VjcmV0")]).unwrap_err().to_string();
    assert!(!refused.contains("c2VjcmV0"), "{refused}");
    let config = load(&[("LINLI_SECRET_KEY", KEY), ("LINLI_DATABASE_URL", "postgres://u:hunter2@h/d")]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains(KEY) && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_key_is_read_in_both_alphabets_with_and_without_padding() {
    let same = [KEY, KEY.trim_end_matches('='), &format!(" {KEY}\n")]
        .map(|text| load(&[("LINLI_SECRET_KEY", text)]).unwrap().secret_key.keys().unwrap().fingerprint());
    assert_eq!(same[0], same[1]);
    assert_eq!(same[0], same[2]);
    let url_safe = "_-ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    assert!(load(&[("LINLI_SECRET_KEY", url_safe)]).is_ok());
    assert!(load(&[("LINLI_SECRET_KEY", KEY), ("LINLI_SECRET_KEY_FILE", "/x")]).is_err());
}

#[test]
fn the_first_start_on_sqlite_makes_a_private_key_file_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/new/linli.db", folder.path().display());
    let config = load(&[("LINLI_DATABASE_URL", &url)]).unwrap();
    let first = config.secret_key.keys().unwrap().fingerprint();
    assert_eq!(config.secret_key.keys().unwrap().fingerprint(), first);
    let files: Vec<_> = fs::read_dir(folder.path().join("new")).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].file_name(), "linli.key");
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_database_without_its_key_is_not_given_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("linli.db");
    fs::write(&database, "rows").unwrap();
    assert!(SecretKey::beside(&database).keys().is_err());
    assert!(!folder.path().join("linli.key").exists());
}

#[test]
fn of_many_first_starts_at_once_all_get_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let secret_key = SecretKey::beside(&folder.path().join("linli.db"));
    let all = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| secret_key.keys().unwrap().fingerprint())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(all.iter().all(|one| *one == all[0]));
}
