//! `schemas/` and the decoder say the same, both ways: members, examples, and which types there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hotline_core::fact::Kind;
use hotline_events::contract::{self, MemberSpec};
use hotline_events::{Event, FIGURE_TYPE, Identity, Keep, Tagger, decode, encode};
use jsonschema::{Registry, Validator};
use serde_json::Value;

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The names of all event types as the folders and files of `schemas/` use them.
fn names() -> BTreeSet<String> {
    Kind::ALL.iter().map(|kind| kind.name().to_owned()).chain(["figure_reported".to_owned()]).collect()
}

fn all_schemas() -> BTreeMap<String, Value> {
    let name = |path: &Path| {
        path.file_name().unwrap().to_str().unwrap().strip_suffix(".v1.json").unwrap().to_owned()
    };
    files(&schemas().join("events")).iter().map(|path| (name(path), read(path))).collect()
}

fn validators() -> BTreeMap<String, Validator> {
    let schemas_by_name = all_schemas();
    let common = read(&schemas().join("common.json"));
    let mut registry = Registry::new().add(common["$id"].as_str().unwrap(), common.clone()).unwrap();
    for schema in schemas_by_name.values() {
        registry = registry.add(schema["$id"].as_str().unwrap(), schema.clone()).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let build = |schema: &Value| {
        let options =
            jsonschema::draft202012::options().should_validate_formats(true).with_registry(&registry);
        options.build(schema).unwrap()
    };
    schemas_by_name.iter().map(|(name, schema)| (name.clone(), build(schema))).collect()
}

#[test]
fn every_type_has_a_schema_and_examples_and_nothing_else_has() {
    assert_eq!(all_schemas().into_keys().collect::<BTreeSet<_>>(), names());
    let mut folders = BTreeSet::new();
    for folder in files(&schemas().join("examples")) {
        let names: Vec<String> = files(&folder)
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let valid = names.iter().filter(|name| name.starts_with("valid-")).count();
        let invalid = names.iter().filter(|name| name.starts_with("invalid-")).count();
        assert!(valid >= 1 && invalid >= 2, "{}: {valid} valid, {invalid} invalid", folder.display());
        assert_eq!(
            valid + invalid,
            names.len(),
            "{}: a file says neither valid nor invalid",
            folder.display()
        );
        folders.insert(folder.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(folders, names());
}

#[test]
fn every_schema_is_for_the_type_it_is_named_after() {
    for (name, schema) in all_schemas() {
        let expect = match Kind::parse(&name) {
            Some(kind) => kind.event_type(),
            None => FIGURE_TYPE.to_owned(),
        };
        assert_eq!(schema["properties"]["type"]["const"], expect);
        assert_eq!(schema["$id"], format!("https://schemas.hotline.example/events/{name}.v1.json"));
    }
}

#[test]
fn valid_examples_are_valid_for_schema_and_decoder_and_invalid_ones_for_neither() {
    let mut wrong = Vec::new();
    for (name, validator) in validators() {
        for path in files(&schemas().join("examples").join(&name)) {
            let file = path.file_name().unwrap().to_str().unwrap();
            let bytes = fs::read(&path).unwrap();
            let by_schema = validator.validate(&read(&path)).map_err(|error| error.to_string());
            let by_decoder = decode(&bytes, &Tagger::unkeyed(), Keep::All);
            let expect = file.starts_with("valid-");
            if by_schema.is_ok() != expect || by_decoder.is_ok() != expect {
                wrong.push(format!("{name}/{file}: schema {by_schema:?}, decoder {:?}", by_decoder.err()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn schemas_and_decoder_know_the_same_members() {
    let common = read(&schemas().join("common.json"));
    for (name, schema) in all_schemas() {
        let by_code = match Kind::parse(&name) {
            Some(kind) => contract::members(kind),
            None => contract::figure_members(),
        };
        let mut by_schema = Vec::new();
        describe_members(&common, &schema["$defs"]["data"], "", &mut by_schema);
        assert_same(&name, by_code, by_schema);
    }
}

#[test]
fn the_schema_and_the_decoder_know_the_same_attributes() {
    let common = read(&schemas().join("common.json"));
    let mut by_schema = Vec::new();
    describe_members(&common, &common["$defs"]["event"], "", &mut by_schema);
    describe_members(&common, &common["$defs"]["case_event"], "", &mut by_schema);
    // Each schema says itself which type it is for, and whether it needs data.
    let mut by_code = contract::attributes();
    for spec in &mut by_code {
        if spec.pointer == "/type" {
            "string".clone_into(&mut spec.shape);
        }
    }
    assert_same("event", by_code, by_schema);
}

fn assert_same(name: &str, by_code: Vec<MemberSpec>, by_schema: Vec<String>) {
    let line = |spec: MemberSpec| {
        let required = if spec.required { "required" } else { "optional" };
        format!("{} {required} {} {}", spec.pointer, spec.kind.name(), spec.shape)
    };
    let by_code: BTreeSet<String> = by_code.into_iter().map(line).collect();
    let by_schema: BTreeSet<String> = by_schema.into_iter().collect();
    let only_code: Vec<_> = by_code.difference(&by_schema).collect();
    let only_schema: Vec<_> = by_schema.difference(&by_code).collect();
    assert!(
        only_code.is_empty() && only_schema.is_empty(),
        "{name}: code {only_code:#?}, schema {only_schema:#?}"
    );
}

/// Writes each member of an object schema as `assert_same` writes a [`MemberSpec`].
fn describe_members(common: &Value, object: &Value, at: &str, out: &mut Vec<String>) {
    let required: Vec<&str> =
        object["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
    for (name, schema) in object["properties"].as_object().unwrap() {
        let (pointer, shape) = (format!("{at}/{name}"), shape(common, schema));
        let required = if required.contains(&name.as_str()) { "required" } else { "optional" };
        let kind = schema["x-kind"].as_str().unwrap_or_else(|| panic!("{pointer} has no x-kind"));
        out.push(format!("{pointer} {required} {kind} {shape}"));
        if kind == "personal" {
            continue;
        }
        let resolved = resolve(common, schema);
        if resolved.get("properties").is_some() {
            describe_members(common, resolved, &pointer, out);
        } else if shape.starts_with("objects") {
            describe_members(common, &resolved["items"], &format!("{pointer}/*"), out);
        }
    }
}

fn resolve<'s>(common: &'s Value, schema: &'s Value) -> &'s Value {
    match reference(schema) {
        Some(name) => &common["$defs"][name],
        None => schema,
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().map(|text| text.rsplit('/').next().unwrap())
}

fn shape(common: &Value, schema: &Value) -> String {
    match reference(schema) {
        Some("until") => return "instant or day".to_owned(),
        Some("media_type") => return "media type".to_owned(),
        Some(name @ ("code" | "subject" | "instant" | "day" | "sequence" | "amounts" | "aspects")) => {
            return name.to_owned();
        }
        Some(_) => return shape(common, resolve(common, schema)),
        None => {}
    }
    if schema["const"] == true {
        return "true".to_owned();
    }
    if let Some(list) = schema["enum"].as_array() {
        return list_shape(list);
    }
    if let Some(types) = schema["type"].as_array() {
        let types: Vec<&str> = types.iter().map(|name| name.as_str().unwrap()).collect();
        let bounds = if types[0] == "integer" { bounds(schema, "minimum", "maximum") } else { String::new() };
        return format!("{}{bounds} or {}", types[0], types[1]);
    }
    match schema["type"].as_str().unwrap() {
        "integer" => format!("integer{}", bounds(schema, "minimum", "maximum")),
        "string" if schema.get("maxLength").is_some() => {
            format!("text{}", bounds(schema, "minLength", "maxLength"))
        }
        "string" if schema.get("pattern").is_some() => {
            let pattern = schema["pattern"].as_str().unwrap();
            format!("hex {}", pattern.strip_prefix("^[0-9a-f]{").unwrap().strip_suffix("}$").unwrap())
        }
        "array" if schema.get("items").is_some() => {
            let what = reference(&schema["items"]).unwrap_or("object");
            format!("{what}s{}", bounds(schema, "minItems", "maxItems"))
        }
        "object" if schema["x-kind"] != "personal" && schema.get("properties").is_none() => "data".to_owned(),
        other => other.to_owned(),
    }
}

fn list_shape(list: &[Value]) -> String {
    let names: Vec<&str> = list.iter().map(|name| name.as_str().unwrap_or("null")).collect();
    if !names[0].starts_with("hotline.case.") {
        return format!("enum {}", names.join("|"));
    }
    let simple = |kind: &&Kind| !matches!(kind, Kind::Snapshot | Kind::Corrected);
    let types: Vec<String> = Kind::ALL.iter().map(|kind| kind.event_type()).collect();
    let simple_types: Vec<String> = Kind::ALL.iter().filter(simple).map(|kind| kind.event_type()).collect();
    if names == types {
        "type".to_owned()
    } else {
        assert_eq!(names, simple_types);
        "simple type".to_owned()
    }
}

fn bounds(schema: &Value, min: &str, max: &str) -> String {
    format!(" {}..{}", schema[min], schema[max])
}

/// Members that shut each other out, so that no example can have them all.
const ALTERNATIVES: [&str; 6] = ["/limit", "/unit", "/until", "/void", "/own_limit/", "/origin/"];

#[test]
fn the_full_example_of_each_type_has_every_member_and_survives_a_round_trip() {
    for kind in Kind::ALL {
        let path = schemas().join("examples").join(kind.name()).join("valid-all-members.json");
        let event = read(&path);
        for spec in contract::members(*kind) {
            let given = event["data"].pointer(&spec.pointer.replace('*', "0")).is_some();
            let shut_out = ALTERNATIVES.iter().any(|name| spec.pointer.starts_with(name));
            assert!(given || shut_out, "{}: no {}", path.display(), spec.pointer);
        }
        let Event::Case(first) = decode(&fs::read(&path).unwrap(), &Tagger::unkeyed(), Keep::All).unwrap()
        else {
            panic!("{} is about a case", path.display());
        };
        let corrects =
            event["data"]["corrects"]["source"].as_str().zip(event["data"]["corrects"]["id"].as_str());
        let identity = Identity { subject: &first.subject, id: &first.id, corrects };
        let encoded = encode(identity, &first.fact).unwrap().to_string();
        let Event::Case(second) = decode(encoded.as_bytes(), &Tagger::unkeyed(), Keep::All).unwrap() else {
            panic!("encoded as a case");
        };
        assert_eq!(second.subject, first.subject);
        let (mut expect, mut got) = (first.fact, second.fact);
        (expect.tag, got.tag) = (0, 0);
        // Inside a snapshot the key is made of all that the source said, personal members too.
        for fact in [&mut expect, &mut got] {
            if let hotline_core::fact::Body::Snapshot(facts) = &mut fact.body {
                for inner in facts {
                    inner.key = fact.key;
                }
            }
        }
        assert_eq!(got, expect, "{encoded}");
    }
}

#[test]
fn the_documents_refer_to_every_schema_and_to_no_other_file() {
    for document in ["asyncapi.yaml", "openapi.yaml"] {
        let text = fs::read_to_string(schemas().join(document)).unwrap();
        let references = text.lines().filter_map(|line| line.split_once("$ref: ").map(|(_, target)| target));
        let files: BTreeSet<&str> = references
            .map(|target| target.trim_matches(['\'', '"', '}']).split('#').next().unwrap())
            .filter(|file| !file.is_empty())
            .collect();
        for file in &files {
            assert!(schemas().join(file).exists(), "{document}: {file}");
        }
        for name in names() {
            assert!(files.contains(format!("events/{name}.v1.json").as_str()), "{document}: {name}");
        }
    }
}

#[test]
fn the_http_document_knows_every_fault_reason_and_outcome() {
    use hotline_events::code;
    use hotline_events::intake::Reason;
    let text = fs::read_to_string(schemas().join("openapi.yaml")).unwrap();
    let faults = [
        code::REQUIRED,
        code::TYPE,
        code::ENUM,
        code::FORMAT,
        code::RANGE,
        code::LENGTH,
        code::PATTERN,
        code::UNKNOWN_TYPE,
        code::FORBIDDEN,
        code::CONFLICT,
        code::DUPLICATE_KEY,
        code::NUL,
        code::TOO_DEEP,
        "utf8",
        "json",
        "not_object",
        "too_large",
        "headers",
    ];
    assert!(text.contains(&format!("enum: [{}]", faults.join(", "))));
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert!(text.contains(&format!("enum: [{}]", reasons.join(", "))));
}

#[test]
fn examples_of_people_are_placeholders() {
    for folder in files(&schemas().join("examples")) {
        for path in files(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            let event = read(&path);
            let mut texts = Vec::new();
            collect_personal(&event["data"], &mut texts);
            let placeholder = |text: &&str| {
                text.starts_with("示例")
                    || text.bytes().all(|byte| byte == b'0')
                    || text.starts_with("https://example.org/")
            };
            assert!(texts.iter().all(placeholder), "{}: {text}", path.display());
        }
    }
}

fn collect_personal<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    const PERSONAL: [&str; 8] =
        ["title", "content", "address", "reporter", "respondent", "links", "remark", "nested"];
    for (name, value) in value.as_object().into_iter().flatten() {
        if PERSONAL.contains(&name.as_str()) {
            all_texts(value, texts);
        } else {
            collect_personal(value, texts);
        }
    }
}

fn all_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| all_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|value| all_texts(value, texts)),
        _ => {}
    }
}
