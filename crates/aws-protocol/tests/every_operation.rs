//! Every operation's input and output survives every wire format that its service speaks.
#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]

mod support;

use std::collections::BTreeSet;

use aws_api::schema::{Call, Node, Protocol, Structure, Value, to_node};
use aws_protocol::{answer, cbor, decode, json, route, validate};
use support::nodes::Maker;
use support::{forms, parts, xml};

/// Calls `$check::<Operation>()` for each operation; `the_list_is_complete` holds it to the tables.
macro_rules! for_every_operation {
    ($check:ident) => {
        $check::<aws_api::ec2::DescribeAccountAttributes>();
        $check::<aws_api::ec2::DescribeAvailabilityZones>();
        $check::<aws_api::ec2::DescribeRegions>();
        $check::<aws_api::ec2::DescribeSecurityGroups>();
        $check::<aws_api::ec2::DescribeSubnets>();
        $check::<aws_api::ec2::DescribeVpcs>();
        $check::<aws_api::ecs::AssociateGatewayWithCluster>();
        $check::<aws_api::ecs::ContinueServiceDeployment>();
        $check::<aws_api::ecs::CreateCapacityProvider>();
        $check::<aws_api::ecs::CreateCluster>();
        $check::<aws_api::ecs::CreateDaemon>();
        $check::<aws_api::ecs::CreateExpressGatewayService>();
        $check::<aws_api::ecs::CreateGateway>();
        $check::<aws_api::ecs::CreateService>();
        $check::<aws_api::ecs::CreateTaskSet>();
        $check::<aws_api::ecs::DeleteAccountSetting>();
        $check::<aws_api::ecs::DeleteAttributes>();
        $check::<aws_api::ecs::DeleteCapacityProvider>();
        $check::<aws_api::ecs::DeleteCluster>();
        $check::<aws_api::ecs::DeleteDaemon>();
        $check::<aws_api::ecs::DeleteDaemonTaskDefinition>();
        $check::<aws_api::ecs::DeleteExpressGatewayService>();
        $check::<aws_api::ecs::DeleteGateway>();
        $check::<aws_api::ecs::DeleteService>();
        $check::<aws_api::ecs::DeleteTaskDefinitions>();
        $check::<aws_api::ecs::DeleteTaskSet>();
        $check::<aws_api::ecs::DeregisterContainerInstance>();
        $check::<aws_api::ecs::DeregisterTaskDefinition>();
        $check::<aws_api::ecs::DescribeCapacityProviders>();
        $check::<aws_api::ecs::DescribeClusters>();
        $check::<aws_api::ecs::DescribeContainerInstances>();
        $check::<aws_api::ecs::DescribeDaemon>();
        $check::<aws_api::ecs::DescribeDaemonDeployments>();
        $check::<aws_api::ecs::DescribeDaemonRevisions>();
        $check::<aws_api::ecs::DescribeDaemonTaskDefinition>();
        $check::<aws_api::ecs::DescribeExpressGatewayService>();
        $check::<aws_api::ecs::DescribeGateway>();
        $check::<aws_api::ecs::DescribeGatewayResources>();
        $check::<aws_api::ecs::DescribeGatewayRoute>();
        $check::<aws_api::ecs::DescribeServiceDeployments>();
        $check::<aws_api::ecs::DescribeServiceRevisions>();
        $check::<aws_api::ecs::DescribeServices>();
        $check::<aws_api::ecs::DescribeTaskDefinition>();
        $check::<aws_api::ecs::DescribeTaskSets>();
        $check::<aws_api::ecs::DescribeTasks>();
        $check::<aws_api::ecs::DisassociateGatewayFromCluster>();
        $check::<aws_api::ecs::DiscoverPollEndpoint>();
        $check::<aws_api::ecs::ExecuteCommand>();
        $check::<aws_api::ecs::GetTaskProtection>();
        $check::<aws_api::ecs::ListAccountSettings>();
        $check::<aws_api::ecs::ListAttributes>();
        $check::<aws_api::ecs::ListClusters>();
        $check::<aws_api::ecs::ListContainerInstances>();
        $check::<aws_api::ecs::ListDaemonDeployments>();
        $check::<aws_api::ecs::ListDaemonTaskDefinitions>();
        $check::<aws_api::ecs::ListDaemons>();
        $check::<aws_api::ecs::ListGatewayClusterAssociations>();
        $check::<aws_api::ecs::ListGatewayRoutes>();
        $check::<aws_api::ecs::ListGateways>();
        $check::<aws_api::ecs::ListServiceDeployments>();
        $check::<aws_api::ecs::ListServices>();
        $check::<aws_api::ecs::ListServicesByNamespace>();
        $check::<aws_api::ecs::ListTagsForResource>();
        $check::<aws_api::ecs::ListTaskDefinitionFamilies>();
        $check::<aws_api::ecs::ListTaskDefinitions>();
        $check::<aws_api::ecs::ListTasks>();
        $check::<aws_api::ecs::PutAccountSetting>();
        $check::<aws_api::ecs::PutAccountSettingDefault>();
        $check::<aws_api::ecs::PutAttributes>();
        $check::<aws_api::ecs::PutClusterCapacityProviders>();
        $check::<aws_api::ecs::RegisterContainerInstance>();
        $check::<aws_api::ecs::RegisterDaemonTaskDefinition>();
        $check::<aws_api::ecs::RegisterTaskDefinition>();
        $check::<aws_api::ecs::RunTask>();
        $check::<aws_api::ecs::StartTask>();
        $check::<aws_api::ecs::StopServiceDeployment>();
        $check::<aws_api::ecs::StopTask>();
        $check::<aws_api::ecs::SubmitAttachmentStateChanges>();
        $check::<aws_api::ecs::SubmitContainerStateChange>();
        $check::<aws_api::ecs::SubmitTaskStateChange>();
        $check::<aws_api::ecs::TagResource>();
        $check::<aws_api::ecs::UntagResource>();
        $check::<aws_api::ecs::UpdateCapacityProvider>();
        $check::<aws_api::ecs::UpdateCluster>();
        $check::<aws_api::ecs::UpdateClusterSettings>();
        $check::<aws_api::ecs::UpdateContainerAgent>();
        $check::<aws_api::ecs::UpdateContainerInstancesState>();
        $check::<aws_api::ecs::UpdateDaemon>();
        $check::<aws_api::ecs::UpdateExpressGatewayService>();
        $check::<aws_api::ecs::UpdateGateway>();
        $check::<aws_api::ecs::UpdateService>();
        $check::<aws_api::ecs::UpdateServicePrimaryTaskSet>();
        $check::<aws_api::ecs::UpdateTaskProtection>();
        $check::<aws_api::ecs::UpdateTaskSet>();
        $check::<aws_api::logs::CreateLogGroup>();
        $check::<aws_api::logs::CreateLogStream>();
        $check::<aws_api::logs::DeleteLogGroup>();
        $check::<aws_api::logs::DeleteLogStream>();
        $check::<aws_api::logs::DeleteRetentionPolicy>();
        $check::<aws_api::logs::DescribeLogGroups>();
        $check::<aws_api::logs::DescribeLogStreams>();
        $check::<aws_api::logs::FilterLogEvents>();
        $check::<aws_api::logs::GetLogEvents>();
        $check::<aws_api::logs::ListTagsForResource>();
        $check::<aws_api::logs::ListTagsLogGroup>();
        $check::<aws_api::logs::PutLogEvents>();
        $check::<aws_api::logs::PutRetentionPolicy>();
        $check::<aws_api::logs::StartLiveTail>();
        $check::<aws_api::logs::TagLogGroup>();
        $check::<aws_api::logs::TagResource>();
        $check::<aws_api::logs::UntagLogGroup>();
        $check::<aws_api::logs::UntagResource>();
        $check::<aws_api::sts::AssumeRole>();
        $check::<aws_api::sts::AssumeRoleWithWebIdentity>();
        $check::<aws_api::sts::GetAccessKeyInfo>();
        $check::<aws_api::sts::GetCallerIdentity>();
        $check::<aws_api::sts::GetSessionToken>();
    };
}

const SEEDS: std::ops::Range<u64> = 1..9;

fn make<T: Structure>(seed: u64, dense: bool) -> T {
    T::read(Maker::new(seed, dense).node(T::SCHEMA)).unwrap()
}

#[test]
fn the_list_is_complete() {
    thread_local! { static SEEN: std::cell::RefCell<BTreeSet<usize>> = Default::default(); }
    fn see<O: Call>() {
        SEEN.with_borrow_mut(|seen| seen.insert(std::ptr::from_ref(O::OPERATION).addr()));
    }
    for_every_operation!(see);
    let all =
        aws_api::APIS.iter().flat_map(|api| api.operations).map(|operation| std::ptr::from_ref(*operation).addr());
    SEEN.with_borrow(|seen| assert_eq!(*seen, all.collect::<BTreeSet<usize>>()));
}

#[test]
fn json_and_cbor_give_back_what_they_were_given() {
    fn there_and_back<T: Structure>() {
        for seed in SEEDS {
            let value: T = make(seed, false);
            assert_eq!(json::decode::<T>(&json::encode(&value)).unwrap(), value, "JSON");
            assert_eq!(cbor::decode::<T>(&cbor::encode(&value)).unwrap(), value, "CBOR");
            let stored = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<T>(&stored).unwrap(), value, "serde");
            assert_eq!(T::read(to_node(&value)).unwrap(), value, "tree");
        }
    }
    fn check<O: Call>() {
        there_and_back::<O::Input>();
        there_and_back::<O::Output>();
    }
    for_every_operation!(check);
}

/// The service of an operation, and whether it speaks EC2's dialect, if it speaks forms at all.
fn form_service<O: Call>() -> Option<(&'static aws_api::schema::Api, bool)> {
    let owns = |api: &&aws_api::schema::Api| api.operations.iter().any(|found| std::ptr::eq(*found, O::OPERATION));
    let api = aws_api::APIS.iter().copied().find(owns).expect("some service has it");
    let ec2 = api.protocols.contains(&Protocol::Ec2);
    (ec2 || api.protocols.contains(&Protocol::Query)).then_some((api, ec2))
}

#[test]
fn forms_give_back_what_clients_wrote_and_xml_what_we_answered() {
    fn check<O: Call>() {
        let Some((api, ec2)) = form_service::<O>() else { return };
        let name = O::OPERATION.name;
        for seed in SEEDS {
            let input = Maker::new(seed, true).node(O::Input::SCHEMA);
            let body = forms::body(name, ec2, O::Input::SCHEMA, &input) + "&Version=" + api.api_version;
            let headers = [(b"content-type".to_vec(), b"application/x-www-form-urlencoded".to_vec())];
            let parts = parts(b"POST", b"/", &headers).unwrap();
            let route = route(&parts, body.as_bytes()).unwrap();
            assert!(std::ptr::eq(route.operation, O::OPERATION));
            let decoded: O::Input = decode(&route, body.as_bytes()).unwrap();
            assert_eq!(decoded, O::Input::read(input).unwrap(), "{body}");

            let output: O::Output = make(seed, true);
            let response = answer(route.wire, route.operation, &output, "request-1");
            let text = String::from_utf8(response.body().to_vec()).unwrap();
            let root = xml::parse(&text);
            assert_eq!(root.name, format!("{name}Response"));
            let (result, id) = if ec2 {
                (&root, root.child("requestId"))
            } else {
                let wrapper = O::OPERATION.result_wrapper.unwrap();
                (root.child(wrapper), root.child("ResponseMetadata").child("RequestId"))
            };
            assert_eq!(id.text(), "request-1");
            assert_eq!(O::Output::read(result.node(O::Output::SCHEMA)).unwrap(), output, "{text}");
        }
    }
    for_every_operation!(check);
}

#[test]
fn an_empty_input_lacks_exactly_the_required_members() {
    fn check<O: Call>() {
        let missing: Vec<String> = validate(&O::Input::default()).into_iter().map(|found| found.path).collect();
        let required = O::Input::SCHEMA.members().iter().filter(|member| member.required);
        assert_eq!(missing, required.map(|member| member.name.to_owned()).collect::<Vec<_>>());
    }
    for_every_operation!(check);
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    fn check<O: Call>() {
        for member in O::Input::SCHEMA.members() {
            let wrong = vec![(member.name.into(), Node::List(vec![Node::List(vec![])]))];
            if let Err(error) = O::Input::read(Node::Map(wrong)) {
                assert!(error.path().starts_with(member.name), "{error}");
            }
        }
    }
    for_every_operation!(check);
}
