//! Faults, and the lifetime of the server.

use std::time::Duration;

use super::*;

async fn list_users(bench: &Bench) -> reqwest::Result<reqwest::Response> {
    let request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    bench.try_send(&request.sign(&bench.host())).await
}

async fn make_alice(bench: &Bench) -> reqwest::Result<String> {
    let mut request = Request::new(Method::GET, "iam", IAM, "CreateUser");
    request.add(&[("UserName", "alice")]);
    let response = bench.try_send(&request.sign(&bench.host())).await?;
    response.text().await
}

fn alice_is_made(bench: &Bench) -> bool {
    bench.cloud.read(|world| world.user("main", "alice").is_some())
}

#[tokio::test]
async fn answers_are_spoilt_as_told_and_then_no_more() {
    let bench = Bench::new(world()).await;
    let code = Fault::Code {
        http: 200,
        code: "AccountFlowLimitExceeded".to_owned(),
        message: "slow down".to_owned(),
    };
    for (fault, status, text) in [
        (Fault::Status(503), 503, "<html>"),
        (code, 200, "slow down"),
        (Fault::CredentialsRefused, 401, "InvalidAccessKey"),
        (Fault::WrongJson, 200, "\"Result\":[42]"),
        (Fault::NotJson, 200, "<html>"),
        (Fault::Slow(Duration::from_millis(1)), 200, "UserMetadata"),
    ] {
        let name = fault.name();
        bench.cloud.faults().inject(FaultRule::new(fault).on("ListUsers").times(1));
        let response = list_users(&bench).await.unwrap();
        assert_eq!(response.status(), status, "{name}");
        assert!(response.text().await.unwrap().contains(text), "{name}");
        assert_eq!(bench.cloud.calls().pop().unwrap().fault, Some(name));
        assert!(list_users(&bench).await.unwrap().text().await.unwrap().contains("UserMetadata"));
    }
}

#[tokio::test]
async fn a_cut_body_arrives_half_after_the_action_was_done() {
    let bench = Bench::new(world()).await;
    bench.cloud.faults().inject(FaultRule::new(Fault::CutBody).on("CreateUser"));
    let mut request = Request::new(Method::GET, "iam", IAM, "CreateUser");
    request.add(&[("UserName", "alice")]);
    let mut response = bench.try_send(&request.sign(&bench.host())).await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"ResponseMetadata\""));
    assert!(response.chunk().await.is_err(), "the rest never comes");
    assert!(alice_is_made(&bench));
}

#[tokio::test]
async fn a_reset_happens_before_or_after_the_action() {
    let bench = Bench::new(world()).await;
    bench.cloud.faults().inject(FaultRule::new(Fault::ResetConnection).times(1));
    assert!(make_alice(&bench).await.is_err());
    assert!(!alice_is_made(&bench));
    bench.cloud.faults().inject(FaultRule::new(Fault::LostAnswer).times(1));
    assert!(make_alice(&bench).await.is_err());
    assert!(alice_is_made(&bench));
    assert!(make_alice(&bench).await.unwrap().contains("UserAlreadyExists"));
}

#[tokio::test]
async fn a_call_that_is_never_answered_ends_with_the_client_or_the_server() {
    let bench = Bench::new(world()).await;
    bench.cloud.faults().inject(FaultRule::new(Fault::Timeout));
    {
        let call = make_alice(&bench);
        tokio::select! {
            answer = call => panic!("answered {answer:?}"),
            () = bench.cloud.called("CreateUser", 1) => {}
        }
    }
    assert!(!alice_is_made(&bench));
    let (answer, ()) = tokio::join!(make_alice(&bench), async {
        bench.cloud.called("CreateUser", 2).await;
        bench.cloud.stop().await;
    });
    assert!(answer.is_err());
    assert!(list_users(&bench).await.unwrap_err().is_connect());
}

#[tokio::test]
async fn faults_hit_only_calls_that_would_have_been_served() {
    let bench = Bench::new(world()).await;
    bench.cloud.faults().inject(FaultRule::new(Fault::Status(500)).times(1));
    let mut wrong = Request::new(Method::GET, "iam", IAM, "ListUsers");
    wrong.secret = "another".to_owned();
    assert_eq!(bench.send(&wrong).await.status, 401);
    assert_eq!(list_users(&bench).await.unwrap().status(), 500);
}

#[tokio::test]
async fn calls_are_counted_and_forgotten() {
    let bench = Bench::new(world()).await;
    list_users(&bench).await.unwrap();
    list_users(&bench).await.unwrap();
    assert_eq!(bench.cloud.count("ListUsers"), 2);
    let call = bench.cloud.calls().remove(0);
    assert_eq!((call.account.as_deref(), call.status, call.at), (Some("main"), Some(200), now()));
    bench.cloud.clear_calls();
    assert_eq!((bench.cloud.count("ListUsers"), bench.cloud.calls().len()), (0, 0));
}

#[tokio::test]
async fn the_server_ends_with_its_last_handle() {
    let bench = Bench::new(world()).await;
    let url = bench.cloud.url();
    let task = bench.cloud.server.task.lock().take().unwrap();
    let http = bench.http.clone();
    drop(bench);
    task.await.unwrap();
    assert!(http.get(url).send().await.unwrap_err().is_connect());
}
