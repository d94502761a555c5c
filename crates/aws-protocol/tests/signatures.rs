//! SigV4 against AWS's published cases and against requests that botocore signed.
#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]

mod support;

use aws_protocol::Wire;
use aws_protocol::sigv4::{
    AuthProblem, Caller, CredentialProblem, Credentials, Rules, SecretKey, Secrets, Verifier, presign, sign,
};
use http::request::Parts;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde::Deserialize;
use support::{OneKey, Sample, parts, signed};

const SUITE_KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    signed_headers: String,
    signature: String,
}

#[test]
fn the_signatures_of_awss_test_suite_are_accepted() {
    let suite: Suite = serde_json::from_str(include_str!("fixtures/sigv4_suite.json")).unwrap();
    let now = "2015-08-30T12:36:00Z".parse().unwrap();
    for case in suite.cases {
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> =
            case.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes())).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, \
             Signature={}",
            case.signed_headers, case.signature
        );
        headers.push((b"authorization".to_vec(), authorization.into_bytes()));
        let parts = parts(case.method.as_bytes(), case.target.as_bytes(), &headers).expect(&case.name);
        let token = case.headers.iter().find(|(name, _)| name == "x-amz-security-token");
        let key = OneKey {
            id: SUITE_KEY.0.to_owned(),
            secret: SUITE_KEY.1.to_owned(),
            token: token.map(|(_, value)| value.clone()),
        };
        let found = Verifier::default().verify(&parts, case.body.as_bytes(), "service", &key, now);
        assert!(found.is_ok(), "{}: {found:?}", case.name);
    }
}

struct Samples {
    now: jiff::Timestamp,
    verifier: Verifier,
    samples: Vec<(Sample, OneKey)>,
}

fn samples() -> Samples {
    let signed = signed();
    let rules = Rules { region: Some(signed.region), ..Rules::default() };
    let (id, secret) = (signed.access_key_id, signed.secret);
    let with_key = |sample: Sample| {
        let key = OneKey { id: id.clone(), secret: secret.clone(), token: sample.session_token.clone() };
        (sample, key)
    };
    let samples = signed.samples.into_iter().map(with_key).collect();
    Samples { now: signed.time.0, verifier: Verifier::new(rules), samples }
}

#[test]
fn requests_signed_by_botocore_are_accepted() {
    let Samples { now, verifier, samples } = samples();
    assert!(samples.len() > 20);
    for (sample, key) in &samples {
        let caller = verifier.verify(&sample.parts(), sample.body.as_bytes(), &sample.service, key, now).unwrap();
        let Caller { access_key_id, session_token, region, presigned, .. } = caller;
        assert_eq!((access_key_id, region.as_str()), (key.id.clone(), "eu-central-1"), "{}", sample.name);
        assert_eq!(session_token, sample.session_token);
        assert_eq!(presigned, sample.name.contains("presigned"));
    }
}

/// Where a byte of a sample is changed.
fn mutate(sample: &Sample, at: usize, byte: u8) -> Option<(Option<Parts>, Vec<u8>)> {
    let mut method = sample.method.clone().into_bytes();
    let mut target = sample.target.clone().into_bytes();
    let mut body = sample.body.clone().into_bytes();
    let mut headers = sample.headers_as_bytes();
    let authorization =
        sample.headers.iter().find(|(name, _)| name == "authorization").map_or("", |(_, value)| value.as_str());
    let mut areas: Vec<&mut Vec<u8>> = vec![&mut method, &mut target, &mut body];
    for (name, value) in &mut headers {
        // Outside of the signature: what proxies may touch, and what the transport itself needs.
        let text = String::from_utf8_lossy(name).into_owned();
        if text == "authorization" || authorization.contains(&text) || text == "host" {
            areas.push(name);
            areas.push(value);
        }
    }
    let mut at = at % areas.iter().map(|area| area.len()).sum::<usize>();
    for area in areas {
        if at < area.len() {
            // The one change inside a signature that changes nothing: the case of an escape's digits, and of names.
            if area[at].eq_ignore_ascii_case(&byte) {
                return None;
            }
            area[at] = byte;
            return Some((parts(&method, &target, &headers), body));
        }
        at -= area.len();
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_with_one_byte_changed_is_refused(pick: usize, at: usize, byte: u8) {
        thread_local! { static SAMPLES: Samples = samples(); }
        SAMPLES.with(|Samples { now, verifier, samples }| {
            let (sample, key) = &samples[pick % samples.len()];
            if let Some((Some(parts), body)) = mutate(sample, at, byte) {
                let found = verifier.verify(&parts, &body, &sample.service, key, *now);
                prop_assert!(found.is_err(), "{}: {parts:?}", sample.name);
            }
            Ok(())
        })?;
    }

    #[test]
    fn whatever_we_sign_we_accept(
        path in "(/[!-~&&[^?#<>\"`{}|\\\\^]]{0,9}){1,4}",
        query in "([a-zA-Z0-9._~%+-]{0,6}=?[a-zA-Z0-9._~%+/:-]{0,6}&?){0,4}",
        value in "[ -~]{0,30}",
        body: Vec<u8>,
        service in "(ecs|s3|sts)",
        presigned: bool,
    ) {
        let headers = [
            (b"host".to_vec(), b"[::1]:4566".to_vec()),
            (b"x-amz-meta".to_vec(), value.into_bytes()),
            (b"x-amz-meta".to_vec(), b"two  spaces".to_vec()),
        ];
        if let Some(mut parts) = parts(b"PUT", format!("{path}?{query}").as_bytes(), &headers) {
            let body = if presigned { Vec::new() } else { body };
            if presigned {
                presign(&mut parts, &credentials(), "us-east-1", &service, now(), 60);
            } else {
                sign(&mut parts, &body, &credentials(), "us-east-1", &service, now());
            }
            let found = Verifier::default().verify(&parts, &body, &service, &key(), now());
            prop_assert!(found.is_ok(), "{found:?}: {parts:?}");
        }
    }

    #[test]
    fn nothing_that_a_client_sends_makes_the_verifier_panic(
        target in "/[ -~]{0,80}",
        authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}",
        credential in "[ -~]{0,40}",
        date in "[0-9TZ]{0,17}",
        body: Vec<u8>,
    ) {
        let headers = [
            (b"authorization".to_vec(), authorization.into_bytes()),
            (b"x-amz-date".to_vec(), date.into_bytes()),
        ];
        let key = OneKey { id: "AKID".to_owned(), secret: "secret".to_owned(), token: None };
        let now = jiff::Timestamp::UNIX_EPOCH;
        for (target, headers) in [
            (target.clone(), &headers[..]),
            (format!("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}"), &headers[1..]),
        ] {
            if let Some(parts) = parts(b"POST", target.as_bytes(), headers) {
                prop_assert!(Verifier::default().verify(&parts, &body, "ecs", &key, now).is_err());
            }
        }
    }
}

/// A request of ours and the key it is signed with.
fn request() -> Parts {
    let headers = [
        (b"host".to_vec(), b"127.0.0.1:4566".to_vec()),
        (b"x-amz-target".to_vec(), b"AmazonEC2ContainerServiceV20141113.ListClusters".to_vec()),
    ];
    parts(b"POST", b"/", &headers).unwrap()
}

fn key() -> OneKey {
    OneKey { id: "AKID".to_owned(), secret: "secret".to_owned(), token: None }
}

fn credentials() -> Credentials {
    Credentials { access_key_id: "AKID".to_owned(), secret: SecretKey::new("secret"), session_token: None }
}

fn now() -> jiff::Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn verify_at(parts: &Parts, now: jiff::Timestamp) -> Result<Caller, AuthProblem> {
    Verifier::default().verify(parts, b"{}", "ecs", &key(), now)
}

#[test]
fn what_we_sign_we_accept_within_five_minutes_either_way() {
    let mut parts = request();
    sign(&mut parts, b"{}", &credentials(), "us-east-1", "ecs", now());
    for offset_s in [-300, 0, 300] {
        assert!(verify_at(&parts, now() + SignedDuration::from_secs(offset_s)).is_ok(), "{offset_s} s");
    }
    for offset_s in [-301, 301] {
        let problem = verify_at(&parts, now() + SignedDuration::from_secs(offset_s)).unwrap_err();
        assert_eq!(problem.to_error(Wire::JSON).code, "InvalidSignatureException", "{offset_s} s: {problem}");
    }
}

#[test]
fn a_presigned_url_lives_as_long_as_it_says() {
    let mut parts = request();
    parts.headers.remove("x-amz-target");
    presign(&mut parts, &credentials(), "us-east-1", "sts", now(), 600);
    let verify = |after_s| {
        let at = now() + SignedDuration::from_secs(after_s);
        Verifier::default().verify(&parts, b"", "sts", &key(), at)
    };
    assert!(verify(0).unwrap().presigned);
    assert!(verify(600).is_ok());
    assert_eq!(verify(601), Err(AuthProblem::UrlExpired));
    assert!(verify(-301).is_err());
}

#[test]
fn a_presigned_url_for_longer_than_a_week_is_refused() {
    for (expires_s, good) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
        let mut parts = request();
        parts.headers.remove("x-amz-target");
        presign(&mut parts, &credentials(), "us-east-1", "sts", now(), expires_s);
        let found = Verifier::default().verify(&parts, b"", "sts", &key(), now());
        assert_eq!(found.is_ok(), good, "{expires_s}: {found:?}");
    }
}

#[test]
fn an_unsigned_amz_header_is_refused() {
    let mut parts = request();
    sign(&mut parts, b"{}", &credentials(), "us-east-1", "ecs", now());
    parts.headers.insert("x-amz-meta", "late".parse().unwrap());
    let problem = verify_at(&parts, now()).unwrap_err();
    assert!(matches!(&problem, AuthProblem::Incomplete(what) if what.contains("x-amz-meta")), "{problem}");
}

#[test]
fn the_scope_must_be_of_this_service_and_region() {
    let mut parts = request();
    sign(&mut parts, b"{}", &credentials(), "us-east-1", "logs", now());
    assert!(matches!(verify_at(&parts, now()), Err(AuthProblem::WrongScope(_))));
    let mut parts = request();
    sign(&mut parts, b"{}", &credentials(), "us-east-1", "ecs", now());
    let rules = Rules { region: Some("eu-west-1".to_owned()), ..Rules::default() };
    let problem = Verifier::new(rules).verify(&parts, b"{}", "ecs", &key(), now()).unwrap_err();
    assert_eq!(problem.to_string(), "the credential is scoped to the region us-east-1, not to eu-west-1");
}

#[test]
fn an_unsigned_payload_needs_permission_and_a_stated_hash_must_be_true() {
    for (stated, permitted, good) in [
        ("UNSIGNED-PAYLOAD", false, false),
        ("UNSIGNED-PAYLOAD", true, true),
        ("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", false, true),
        ("0000000000000000000000000000000000000000000000000000000000000000", false, false),
    ] {
        let mut parts = request();
        parts.headers.insert("x-amz-content-sha256", stated.parse().unwrap());
        sign(&mut parts, b"{}", &credentials(), "us-east-1", "ecs", now());
        let verifier = Verifier::new(Rules { unsigned_payload: permitted, ..Rules::default() });
        let found = verifier.verify(&parts, b"{}", "ecs", &key(), now());
        assert_eq!(found.is_ok(), good, "{stated}: {found:?}");
    }
}

#[test]
fn a_new_secret_under_an_old_name_takes_effect_at_once() {
    let verifier = Verifier::default();
    for secret in ["secret", "another", "secret"] {
        let mut parts = request();
        let credentials = Credentials { secret: SecretKey::new(secret), ..credentials() };
        sign(&mut parts, b"{}", &credentials, "us-east-1", "ecs", now());
        let current = OneKey { secret: secret.to_owned(), ..key() };
        assert!(verifier.verify(&parts, b"{}", "ecs", &current, now()).is_ok());
        let rotated = OneKey { secret: "yet another".to_owned(), ..key() };
        assert_eq!(verifier.verify(&parts, b"{}", "ecs", &rotated, now()), Err(AuthProblem::Mismatch));
    }
}

#[test]
fn each_protocol_names_each_problem_as_aws_does() {
    struct Refuses(CredentialProblem);
    impl Secrets for Refuses {
        fn secret(&self, _: &str, _: Option<&str>) -> Result<SecretKey, CredentialProblem> {
            Err(self.0)
        }
    }
    let mut parts = request();
    sign(&mut parts, b"{}", &credentials(), "us-east-1", "ecs", now());
    let refuse =
        |why| Verifier::default().verify(&parts, b"{}", "ecs", &Refuses(why), now()).expect_err("it has no secret");
    let mut other = request();
    sign(&mut other, b"{\"x\":1}", &credentials(), "us-east-1", "ecs", now());
    let mismatch = verify_at(&other, now()).unwrap_err();
    let missing = verify_at(&request(), now()).unwrap_err();
    let (query, ec2) = (Wire::Query { namespace: "" }, Wire::Ec2 { namespace: "" });
    for (problem, wire, code, status) in [
        (&missing, Wire::JSON, "MissingAuthenticationTokenException", 400),
        (&missing, query, "MissingAuthenticationToken", 403),
        (&mismatch, Wire::JSON, "InvalidSignatureException", 400),
        (&mismatch, query, "SignatureDoesNotMatch", 403),
        (&mismatch, ec2, "AuthFailure", 401),
        (&AuthProblem::WrongScope("late".to_owned()), query, "SignatureDoesNotMatch", 403),
        (&AuthProblem::WrongScope("late".to_owned()), ec2, "AuthFailure", 401),
        (&refuse(CredentialProblem::Unknown), Wire::JSON, "UnrecognizedClientException", 400),
        (&refuse(CredentialProblem::Unknown), query, "InvalidClientTokenId", 403),
        (&refuse(CredentialProblem::Unknown), ec2, "AuthFailure", 401),
        (&refuse(CredentialProblem::Expired), Wire::JSON, "ExpiredTokenException", 400),
        (&refuse(CredentialProblem::Expired), query, "ExpiredToken", 403),
        (&refuse(CredentialProblem::Denied), Wire::JSON, "AccessDeniedException", 400),
        (&AuthProblem::UrlExpired, query, "RequestExpired", 400),
    ] {
        let error = problem.to_error(wire);
        assert_eq!((error.code.as_ref(), error.status), (code, status), "{problem:?}");
        assert!(error.message.ends_with('.') && error.message.starts_with(char::is_uppercase), "{}", error.message);
    }
}
