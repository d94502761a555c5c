//! Fills a peer with tasks through its own RunTask; a peer that only remembers wants a container instance first.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::{Client, Endpoint};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    tasks: usize,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut client = Client::connect(&arguments.endpoint).await?;
    client.call("CreateCluster", &json!({ "clusterName": "default" })).await?;
    let instance = json!({ "instanceId": machine(&mut client).await?, "region": "us-east-1" });
    let register = json!({ "cluster": "default", "instanceIdentityDocument": instance.to_string() });
    client.call("RegisterContainerInstance", &register).await?;
    // The same as row 2's tasks, as far as the peer stores it.
    let definition = json!({
        "family": "short",
        "networkMode": "host",
        "containerDefinitions": [{ "name": "first", "image": "first:1", "cpu": 1, "memory": 1 }],
    });
    client.call("RegisterTaskDefinition", &definition).await?;
    let mut tasks = 0;
    while tasks < arguments.tasks {
        let wanted = (arguments.tasks - tasks).min(10);
        let request = json!({ "taskDefinition": "short", "launchType": "EC2", "count": wanted });
        let answer = client.call("RunTask", &request).await?;
        let started = answer["tasks"].as_array().map_or(0, Vec::len);
        if started == 0 {
            bail!("RunTask started nothing: {}", answer.get("failures").unwrap_or(&Value::Null));
        }
        tasks += started;
    }
    Ok(Outcome { tasks })
}

/// The id of a new EC2 instance, to register.
async fn machine(client: &mut Client) -> Result<String> {
    let form = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1";
    let answer = client.ec2(form).await.context("RunInstances was refused")?;
    let answer = String::from_utf8_lossy(&answer);
    let id = answer.split("<instanceId>").nth(1).and_then(|rest| rest.split('<').next());
    id.map(str::to_owned).context("RunInstances answered no instance")
}
