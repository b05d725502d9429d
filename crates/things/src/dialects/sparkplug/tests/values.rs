use bytes::Bytes;
use prost::Message;
use quartet_model::Time;
use serde_json::{Value, json};

use super::{super::*, named, payload};
use crate::dialects::{
    form::{Form, Untold},
    sparkplug::{
        datatype::DataType,
        value,
        wire::{self, Metric, Scalar},
    },
};

#[track_caller]
fn check(name: &str, said: Scalar, expected: Value) {
    let datatype = DataType::named(name).unwrap();
    assert_eq!(DataType::of(datatype.number()), Some(datatype));
    assert_eq!(value::json_of(said, datatype, 0), Ok(expected));
}

#[test]
fn each_type_is_a_value_of_json() {
    check("Int8", Scalar::Int(0xFFFF_FFFB), json!(-5));
    check("Int8", Scalar::Int(0xFB), json!(-5));
    check("Int16", Scalar::Int(0x8000), json!(-32768));
    check("Int32", Scalar::Int(u32::MAX), json!(-1));
    check("Int64", Scalar::Long(u64::MAX), json!(-1));
    check(
        "UInt32",
        Scalar::Long(4_294_967_295),
        json!(4_294_967_295_u64),
    );
    check("UInt64", Scalar::Long(u64::MAX), json!(u64::MAX));
    check("Float", Scalar::Float(20.1), json!(20.1));
    check("Float", Scalar::Float(f32::NAN), Value::Null);
    check("Double", Scalar::Double(f64::INFINITY), Value::Null);
    check(
        "DateTime",
        Scalar::Long(1_486_144_502_122),
        json!("2017-02-03T17:55:02.122Z"),
    );
    check("UUID", Scalar::Text("x".into()), json!("x"));
    check(
        "Bytes",
        Scalar::Bytes(Bytes::from_static(&[1, 2])),
        json!("AQI="),
    );
}

#[test]
fn arrays_are_as_the_specification_packs_them() {
    let bytes = |bytes: &'static [u8]| Scalar::Bytes(Bytes::from_static(bytes));
    check("Int8Array", bytes(&[0xEF, 0x7B]), json!([-17, 123]));
    check(
        "Int16Array",
        bytes(&[0xD0, 0x8A, 0x30, 0x75]),
        json!([-30000, 30000]),
    );
    check("UInt8Array", bytes(&[0x17, 0xFA]), json!([23, 250]));
    check("FloatArray", bytes(&[0, 0, 0xC0, 0x3F]), json!([1.5]));
    check(
        "DoubleArray",
        bytes(&[0, 0, 0, 0, 0, 0, 4, 0x40]),
        json!([2.5]),
    );
    check(
        "BooleanArray",
        bytes(&[12, 0, 0, 0, 0x34, 0xD0]),
        json!([
            false, false, true, true, false, true, false, false, true, true, false, true
        ]),
    );
    check(
        "StringArray",
        bytes(b"ABC\0hello\0"),
        json!(["ABC", "hello"]),
    );
    check("StringArray", bytes(b""), json!([]));
    check(
        "DateTimeArray",
        bytes(&[0xC7, 0xD0, 0x90, 0x75, 0x24, 1, 0, 0]),
        json!(["2009-10-21T05:27:55.335Z"]),
    );
}

#[test]
fn what_is_not_of_its_type_is_said() {
    let check = |name: &str, said: Scalar, expected: &str| {
        let datatype = DataType::named(name).unwrap();
        let why = value::json_of(said, datatype, 0).unwrap_err();
        assert_eq!(why.to_string(), expected);
    };
    check("Boolean", Scalar::Int(1), "has a value that is no Boolean");
    check(
        "DateTime",
        Scalar::Long(u64::MAX),
        "has a value that is no DateTime",
    );
    check(
        "Int16Array",
        Scalar::Bytes(Bytes::from_static(&[1])),
        "has a value that is no Int16Array",
    );
    check(
        "BooleanArray",
        Scalar::Bytes(Bytes::from_static(&[255; 5])),
        "has a value that is no BooleanArray",
    );
    check(
        "StringArray",
        Scalar::Bytes(Bytes::from_static(b"ABC")),
        "has a value that is no StringArray",
    );
}

/// A template with a number in it, and templates within templates around it.
fn template(deep: usize) -> Scalar {
    let inner = match deep {
        0 => named("n", 3, Scalar::Int(7)),
        deep => named("t", 19, template(deep - 1)),
    };
    let template = wire::Template {
        metrics: vec![inner.encode_to_vec().into()],
        is_definition: None,
    };
    Scalar::Template(template.encode_to_vec().into())
}

#[test]
fn a_template_is_the_values_of_its_metrics_but_not_without_end() {
    check("Template", template(1), json!({ "t": { "n": 7 } }));
    let read = |deep| value::json_of(template(deep), DataType::Template, 0);
    assert!(read(value::DEPTH_MAX - 1).is_ok());
    assert_eq!(read(value::DEPTH_MAX), Err(Unreadable::Nested));
}

fn form(more: Value) -> Form {
    let mut form = json!({
        "href": "mqtt:///spBv1.0/g/DCMD/n/d", "op": ["readproperty", "writeproperty"],
        "contentType": CONTENT_TYPE, "quartet:metric": "M",
    });
    form.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    Form::of(&form, None).unwrap().unwrap()
}

#[test]
fn what_is_told_is_read_again() {
    for (name, value) in [
        ("Int8", json!(-5)),
        ("Int32", json!(-1)),
        ("Int64", json!(i64::MIN)),
        ("UInt16", json!(65_535)),
        ("UInt64", json!(u64::MAX)),
        ("Float", json!(20.1)),
        ("Double", json!(-0.5)),
        ("Boolean", json!(false)),
        ("String", json!("auto")),
        ("DateTime", json!("2017-02-03T17:55:02.122Z")),
        ("Bytes", json!("AQI=")),
    ] {
        for alias in [Value::Null, json!(9)] {
            let form = form(json!({ "quartet:dataType": name, "quartet:alias": alias }));
            let told = form.write_at(&value, Time::from_micros(5_000_000)).unwrap();
            let read = form.read(&told).unwrap().unwrap();
            assert_eq!((read.value, read.at), (value.clone(), Some(5.0)), "{name}");
        }
    }
    let action = form(json!({ "quartet:dataType": "Boolean" }));
    let told = action.write_at(&Value::Null, Time::ZERO).unwrap();
    assert_eq!(action.read(&told).unwrap().unwrap().value, json!(true));
}

#[test]
fn what_has_no_place_in_the_type_is_not_told() {
    for (name, value) in [
        ("Int8", json!(128)),
        ("UInt8", json!(-1)),
        ("Int32", json!(1.5)),
        ("Boolean", json!("true")),
        ("DateTime", json!("tomorrow")),
        ("DataSet", json!({})),
    ] {
        let told = form(json!({ "quartet:dataType": name })).write_at(&value, Time::ZERO);
        assert_eq!(told, Err(Untold::DataType), "{name}");
    }
}

#[test]
fn a_form_reads_its_metric_by_name_or_alias_and_nothing_of_the_past() {
    let form = form(json!({ "quartet:alias": 4, "quartet:dataType": "Int32" }));
    let read = |metrics: &[Metric]| {
        let read = form.read(&payload(Some(0), metrics)).unwrap();
        read.map(|reading| reading.value)
    };
    let by_name = named("M", 3, Scalar::Int(1));
    let by_alias = super::aliased(4, Scalar::Int(2));
    assert_eq!(read(std::slice::from_ref(&by_name)), Some(json!(1)));
    assert_eq!(
        read(&[by_name.clone(), by_alias]),
        Some(json!(2)),
        "the last counts"
    );
    assert_eq!(read(&[super::aliased(5, Scalar::Int(2))]), None);
    let past = Metric {
        is_historical: Some(true),
        ..by_name.clone()
    };
    assert_eq!(read(&[past]), None);
    let unknown = Metric {
        is_null: Some(true),
        value: None,
        ..by_name
    };
    assert_eq!(read(&[unknown]), None);
}
