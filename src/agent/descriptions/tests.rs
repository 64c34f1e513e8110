use super::*;
use crate::config::Config;

fn opened(folder: &Path, base: &str) -> Arc<Descriptions> {
    Descriptions::open(Config::parse(base).expect("a configuration"), folder, Arc::default())
}

fn names(descriptions: &Descriptions) -> Vec<String> {
    descriptions.configured().borrow().model.iter().map(|spec| spec.key().to_string()).collect()
}

fn text(name: &str, more: &str) -> String {
    format!("[[model]]\nname = \"{name}\"\n{more}\n")
}

fn map(namespace: &str, name: &str, key: &str, text: &str) -> config_maps::Text {
    let text = Some(text.to_owned());
    config_maps::Text { namespace: namespace.to_owned(), name: name.to_owned(), key: key.to_owned(), text }
}

#[test]
fn what_was_sent_counts_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let descriptions = opened(folder.path(), &text("filed", ""));
    let configured = descriptions.configured();
    let churn = ModelKey::within("shop", "churn");
    let put = |text: &str, is_json| descriptions.put(&churn, text, is_json);
    assert_eq!(put(&text("churn", "id = \"request\""), false), Ok(true));
    assert!(configured.has_changed().expect("open"), "the others are told");
    assert_eq!(names(&descriptions), ["filed", "shop/churn"]);
    assert_eq!(put(r#"{"name": "churn", "id": "again"}"#, true), Ok(false));
    let again = opened(folder.path(), "");
    assert_eq!(names(&again), ["shop/churn"]);
    assert_eq!(again.configured().borrow().model[0].id, "again");
    assert_eq!(again.remove(&churn), Ok(true));
    assert_eq!(again.remove(&churn), Ok(false));
    assert!(names(&again).is_empty() && names(&opened(folder.path(), "")).is_empty());
}

#[test]
fn what_is_not_taken_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let descriptions = opened(folder.path(), &format!("[models]\nmax_models = 1\n{}", text("filed", "")));
    let (filed, churn) = (ModelKey::named("filed"), ModelKey::named("churn"));
    let conflict = |came| matches!(came, Err(NotTaken::Conflict(_)));
    assert!(conflict(descriptions.put(&filed, &text("filed", ""), false)), "the file goes before it");
    let wrong = |text: &str, expected: &str| match descriptions.put(&churn, text, false) {
        Err(NotTaken::Wrong(all)) => assert!(all.iter().any(|wrong| wrong.message.contains(expected)), "{all:?}"),
        other => panic!("{other:?} of {text}"),
    };
    wrong(&text("churn", "windw = \"1h\""), "did you mean `window`");
    wrong(&text("other", ""), "was sent for `churn`");
    wrong(&text("churn", "label_horizon = \"400d\""), "samples.retention");
    wrong(&text("churn", "reference = \"/etc/shadow\""), "models.reference_prefixes");
    wrong(&text("churn", "reference = \"http://169.254.169.254/latest\""), "models.reference_prefixes");
    assert_eq!(descriptions.put(&churn, &text("churn", ""), false), Ok(true));
    assert!(conflict(descriptions.put(&ModelKey::named("more"), &text("more", ""), false)), "there is room for one");
    assert!(
        conflict(descriptions.put(&ModelKey::named("a"), &text("a", ""), false)),
        "whatever its name, it takes nobody's place"
    );
    assert_eq!(names(&descriptions), ["churn", "filed"]);
    let shown = descriptions.all();
    assert_eq!(shown.iter().filter(|shown| shown.in_force).count(), 2, "{shown:?}");
    assert_eq!(names(&opened(folder.path(), "")), ["churn"], "and nothing else was kept");
}

#[test]
fn references_may_lie_where_the_file_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let descriptions = opened(folder.path(), "[models]\nreference_prefixes = [\"s3://models/\"]\n");
    let put = |reference: &str| {
        descriptions.put(&ModelKey::named("m"), &text("m", &format!("reference = \"{reference}\"")), false).is_ok()
    };
    assert!(put("s3://models/m/train.parquet"));
    for elsewhere in [
        "s3://models.evil/m",
        "s3://other/m",
        "s3://models/../other/m",
        "s3://models/%2e%2e/other/m",
        "s3://models/a\\\\..\\\\..\\\\other",
        "s3://models/./m",
        "s3://models//m",
        "s3://models/m?versionId=1",
        "/models/m",
    ] {
        assert!(!put(elsewhere), "{elsewhere}");
    }
}

#[test]
fn config_maps_describe_models_of_their_own_namespace() {
    let folder = tempfile::tempdir().expect("a folder");
    let health = Arc::<Health>::default();
    let descriptions = Descriptions::open(Config::default(), folder.path(), Arc::clone(&health));
    let theirs = text("fraud", "namespace = \"bank\"");
    let all = vec![
        map("shop", "a", "churn.toml", &text("churn", "")),
        map("shop", "a", "x.json", r#"{"name": "prices"}"#),
        map("shop", "b", "churn.toml", &text("churn", "")),
        map("shop", "c", "m.toml", &theirs),
        config_maps::Text { text: None, ..map("shop", "d", "m.toml", "") },
    ];
    descriptions.declare(config_maps::Told::All(all, 2));
    assert_eq!(names(&descriptions), ["shop/churn", "shop/prices"]);
    let told = health.state().descriptions;
    for expected in ["shop/churn by ConfigMap shop/b", "must be `shop`", "longer than", "2 descriptions"] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:?}");
    }
    // A start without the API server goes on as it was.
    let again = Descriptions::open(Config::default(), folder.path(), Arc::default());
    assert_eq!(names(&again), ["shop/churn", "shop/prices"]);
    // One that is sent for the same model waits for its turn; a failure changes nothing.
    let churn = ModelKey::within("shop", "churn");
    assert!(matches!(descriptions.put(&churn, &text("churn", ""), false), Err(NotTaken::Conflict(_))));
    descriptions.declare(config_maps::Told::Failing("forbidden".to_owned()));
    assert_eq!(names(&descriptions), ["shop/churn", "shop/prices"]);
    assert!(health.state().descriptions.iter().any(|told| told.contains("forbidden")));
    descriptions.declare(config_maps::Told::All(Vec::new(), 0));
    assert!(names(&descriptions).is_empty() && health.state().descriptions.is_empty());
}

#[test]
fn a_reload_keeps_what_others_described() {
    let folder = tempfile::tempdir().expect("a folder");
    let descriptions = opened(folder.path(), "");
    let churn = ModelKey::named("churn");
    assert_eq!(descriptions.put(&churn, &text("churn", "id = \"sent\""), false), Ok(true));
    descriptions.reload(Config::parse(&text("churn", "id = \"filed\"")).expect("a configuration"));
    assert_eq!(descriptions.configured().borrow().model[0].id, "filed");
    assert_eq!(descriptions.all().iter().filter(|shown| shown.in_force).count(), 1);
    descriptions.reload(Config::default());
    assert_eq!(descriptions.configured().borrow().model[0].id, "sent", "it counts again");
}
