//! Faults, and the lifetime of the server.

use std::time::Duration;

use super::*;

async fn list_users(fixture: &Fixture) -> reqwest::Result<reqwest::Response> {
    let request = Request::new(Method::GET, "iam", IAM, "ListUsers");
    fixture.try_send(&request.sign(&fixture.host())).await
}

async fn make_alice(fixture: &Fixture) -> reqwest::Result<String> {
    let mut request = Request::new(Method::GET, "iam", IAM, "CreateUser");
    request.add(&[("UserName", "alice")]);
    let response = fixture.try_send(&request.sign(&fixture.host())).await?;
    response.text().await
}

fn alice_is_made(fixture: &Fixture) -> bool {
    fixture.cloud.read(|world| world.user("main", "alice").is_some())
}

#[tokio::test]
async fn answers_are_spoilt_as_configured_and_then_no_more() {
    let fixture = Fixture::new(world()).await;
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
        fixture.cloud.faults().inject(FaultRule::new(fault).on("ListUsers").times(1));
        let response = list_users(&fixture).await.unwrap();
        assert_eq!(response.status(), status, "{name}");
        assert!(response.text().await.unwrap().contains(text), "{name}");
        assert_eq!(fixture.cloud.calls().pop().unwrap().fault, Some(name));
        assert!(list_users(&fixture).await.unwrap().text().await.unwrap().contains("UserMetadata"));
    }
}

#[tokio::test]
async fn a_cut_body_arrives_halfway_although_the_action_was_done() {
    let fixture = Fixture::new(world()).await;
    fixture.cloud.faults().inject(FaultRule::new(Fault::CutBody).on("CreateUser"));
    let mut request = Request::new(Method::GET, "iam", IAM, "CreateUser");
    request.add(&[("UserName", "alice")]);
    let mut response = fixture.try_send(&request.sign(&fixture.host())).await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"ResponseMetadata\""));
    assert!(response.chunk().await.is_err(), "the rest never comes");
    assert!(alice_is_made(&fixture));
}

#[tokio::test]
async fn a_reset_happens_before_or_after_the_action() {
    let fixture = Fixture::new(world()).await;
    fixture.cloud.faults().inject(FaultRule::new(Fault::ResetConnection).times(1));
    assert!(make_alice(&fixture).await.is_err());
    assert!(!alice_is_made(&fixture));
    fixture.cloud.faults().inject(FaultRule::new(Fault::LostAnswer).times(1));
    assert!(make_alice(&fixture).await.is_err());
    assert!(alice_is_made(&fixture));
    assert!(make_alice(&fixture).await.unwrap().contains("UserAlreadyExists"));
}

#[tokio::test]
async fn an_unanswered_call_ends_when_the_client_or_the_server_gives_up() {
    let fixture = Fixture::new(world()).await;
    fixture.cloud.faults().inject(FaultRule::new(Fault::Timeout));
    {
        let call = make_alice(&fixture);
        tokio::select! {
            answer = call => panic!("answered {answer:?}"),
            () = fixture.cloud.called("CreateUser", 1) => {}
        }
    }
    assert!(!alice_is_made(&fixture));
    let (answer, ()) = tokio::join!(make_alice(&fixture), async {
        fixture.cloud.called("CreateUser", 2).await;
        fixture.cloud.stop().await;
    });
    assert!(answer.is_err());
    assert!(list_users(&fixture).await.unwrap_err().is_connect());
}

#[tokio::test]
async fn faults_hit_only_calls_that_would_have_been_served() {
    let fixture = Fixture::new(world()).await;
    fixture.cloud.faults().inject(FaultRule::new(Fault::Status(500)).times(1));
    let mut wrong = Request::new(Method::GET, "iam", IAM, "ListUsers");
    wrong.secret = "another".to_owned();
    assert_eq!(fixture.send(&wrong).await.status, 401);
    assert_eq!(list_users(&fixture).await.unwrap().status(), 500);
}

#[tokio::test]
async fn calls_are_counted_and_cleared() {
    let fixture = Fixture::new(world()).await;
    list_users(&fixture).await.unwrap();
    list_users(&fixture).await.unwrap();
    assert_eq!(fixture.cloud.count("ListUsers"), 2);
    let call = fixture.cloud.calls().remove(0);
    assert_eq!((call.account.as_deref(), call.status, call.at), (Some("main"), Some(200), now()));
    fixture.cloud.clear_calls();
    assert_eq!((fixture.cloud.count("ListUsers"), fixture.cloud.calls().len()), (0, 0));
}

#[tokio::test]
async fn the_server_ends_with_its_last_handle() {
    let fixture = Fixture::new(world()).await;
    let url = fixture.cloud.url();
    let task = fixture.cloud.server.task.lock().take().unwrap();
    let http = fixture.http.clone();
    drop(fixture);
    task.await.unwrap();
    assert!(http.get(url).send().await.unwrap_err().is_connect());
}
