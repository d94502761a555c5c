//! Every class of bad input, with the sentence that it is answered with.

use super::*;

type Case = (Value, &'static str);

fn names_and_sizes() -> Vec<Case> {
    let long = "x".repeat(256);
    let many: Vec<Value> = (0..11).map(|n| json!({ "name": format!("c{n}"), "image": "i", "memory": 6 })).collect();
    vec![
        (task(json!({ "family": null })), "Family should not be null or empty."),
        (task(json!({ "family": "" })), "Family should not be null or empty."),
        (task(json!({ "family": "we b" })), "Family contains invalid characters."),
        (task(json!({ "family": long })), "Family contains invalid characters."),
        (task(json!({ "containerDefinitions": [] })), "Container list cannot be empty."),
        (task(json!({ "containerDefinitions": many })), "Too many containers."),
        (container(json!({ "name": null })), "Container.name should not be null or empty."),
        (container(json!({ "name": "a b" })), "Container.name contains invalid characters."),
        (container(json!({ "image": null })), "Container.image should not be null or empty."),
        (container(json!({ "image": "" })), "Container.image should not be null or empty."),
        (container(json!({ "image": "a b" })), "Container.image contains invalid characters."),
        (pair(json!({}), json!({ "name": "a" })), "Container names must be unique within a task definition"),
        (container(json!({ "essential": false })), "Task definition doesn't have any essential container."),
        (
            container(json!({ "memory": null })),
            "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (container(json!({ "memory": 5 })), "'memory' must be at least 6 MiB"),
        (container(json!({ "memoryReservation": 5 })), "'memoryReservation' must be at least 6 MiB"),
        (
            container(json!({ "memoryReservation": 65 })),
            "'memory' must be greater than or equal to 'memoryReservation'",
        ),
        (container(json!({ "cpu": -1 })), "'cpu' must not be negative"),
        (task(json!({ "cpu": "many" })), "Invalid 'cpu' setting for task: 'many'"),
        (task(json!({ "cpu": "64" })), "from 128 to 196608 CPU units"),
        (task(json!({ "memory": "0.5 vCPU" })), "Invalid 'memory' setting for task"),
        (task(json!({ "memory": "4" })), "must be at least 6 MiB"),
        (task(json!({ "memory": "32" })), "The 'memory' setting for container 'app' is greater than for the task."),
        (
            both(json!({ "memory": "64" }), json!({ "memory": 128, "memoryReservation": 64 })),
            "The 'memory' setting for container 'app' is greater than for the task.",
        ),
        (
            {
                let mut two = pair(json!({ "memoryReservation": 60 }), json!({ "memoryReservation": 60 }));
                two["memory"] = json!("100");
                two
            },
            "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'",
        ),
        (
            both(json!({ "cpu": "128" }), json!({ "cpu": 129 })),
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'",
        ),
        (container(json!({ "dockerLabels": { "big": "x".repeat(65536) } })), "Max allowed length is '65536' bytes."),
    ]
}

fn words_of_the_model() -> Vec<Case> {
    vec![
        (task(json!({ "networkMode": "nat" })), "networkMode must be one of bridge, host, awsvpc, none, not nat"),
        (task(json!({ "pidMode": "none" })), "pidMode must be one of host, task"),
        (task(json!({ "ipcMode": "own" })), "ipcMode must be one of host, task, none"),
        (task(json!({ "requiresCompatibilities": ["LAMBDA"] })), "requiresCompatibilities[0] must be one of"),
        (
            task(json!({ "runtimePlatform": { "cpuArchitecture": "RISCV" } })),
            "runtimePlatform.cpuArchitecture must be one of",
        ),
        (
            task(json!({ "runtimePlatform": { "operatingSystemFamily": "BSD" } })),
            "operatingSystemFamily must be one of",
        ),
        (container(json!({ "logConfiguration": { "logDriver": "etwlogs" } })), "logDriver must be one of"),
        (
            container(json!({ "ulimits": [{ "name": "files", "softLimit": 1, "hardLimit": 1 }] })),
            "ulimits[0].name must be one of",
        ),
        (container(json!({ "versionConsistency": "on" })), "versionConsistency must be one of"),
        (
            container(json!({ "dependsOn": [{ "containerName": "b", "condition": "READY" }] })),
            "condition must be one of",
        ),
        (container(json!({ "restartPolicy": {} })), "restartPolicy.enabled is required"),
        (container(json!({ "healthCheck": {} })), "healthCheck.command is required"),
    ]
}

fn network() -> Vec<Case> {
    let awsvpc = |change: Value| both(json!({ "networkMode": "awsvpc" }), change);
    let host = |change: Value| both(json!({ "networkMode": "host" }), change);
    vec![
        (container(port(json!({}))), "Invalid 'containerPort' setting for container 'app'."),
        (container(port(json!({ "containerPort": 65536 }))), "Invalid 'containerPort' setting for container 'app'."),
        (
            container(port(json!({ "containerPort": 80, "hostPort": -1 }))),
            "Invalid 'hostPort' setting for container 'app'.",
        ),
        (
            container(port(json!({ "containerPort": 80, "hostPort": 70000 }))),
            "Invalid 'hostPort' setting for container 'app'.",
        ),
        (container(port(json!({ "containerPort": 80, "protocol": "sctp" }))), "protocol must be one of tcp, udp"),
        (
            awsvpc(port(json!({ "containerPort": 80, "hostPort": 8080 }))),
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        (host(port(json!({ "containerPort": 80, "hostPort": 0 }))), "When networkMode=host, the host ports"),
        (
            both(json!({ "networkMode": "none" }), port(json!({ "containerPort": 80 }))),
            "not supported when networkMode=none",
        ),
        (
            pair(
                port(json!({ "containerPort": 80, "hostPort": 8080 })),
                port(json!({ "containerPort": 81, "hostPort": 8080 })),
            ),
            "TCP host port '8080' is mapped multiple times in task.",
        ),
        (
            container(
                json!({ "portMappings": [{ "containerPort": 80, "name": "web" }, { "containerPort": 81, "name": "web" }] }),
            ),
            "The port mapping name is already used",
        ),
        (container(port(json!({ "containerPort": 80, "name": "Web" }))), "Invalid port mapping name 'Web'"),
        (container(port(json!({ "containerPort": 80, "appProtocol": "smtp" }))), "appProtocol must be one of"),
        (
            container(port(json!({ "containerPortRange": "9-8" }))),
            "Invalid 'containerPortRange' setting for container 'app': '9-8'",
        ),
        (
            container(port(json!({ "containerPortRange": "0-8" }))),
            "Invalid 'containerPortRange' setting for container 'app': '0-8'",
        ),
        (
            container(port(json!({ "containerPortRange": "80-90", "containerPort": 80 }))),
            "cannot specify both single port and port range",
        ),
        (host(port(json!({ "containerPortRange": "80-90" }))), "containerPortRange is only supported"),
        (awsvpc(json!({ "links": ["app"] })), "Links are not supported when networkMode=awsvpc."),
        (container(json!({ "links": ["db"] })), "the container 'db' does not exist"),
        (container(json!({ "links": ["app"] })), "cannot be linked to itself"),
        (pair(json!({ "links": ["b:"] }), json!({})), "write it as name or name:alias"),
        (awsvpc(json!({ "hostname": "h" })), "hostname is not supported on container when networkMode=awsvpc."),
        (
            awsvpc(json!({ "dnsServers": ["10.0.0.2"] })),
            "DNS servers are not supported on container when networkMode=awsvpc.",
        ),
        (awsvpc(json!({ "dnsSearchDomains": ["local"] })), "DNS search domains are not supported on container"),
        (
            awsvpc(json!({ "extraHosts": [{ "hostname": "db", "ipAddress": "10.0.0.2" }] })),
            "Extra hosts are not supported on container when networkMode=awsvpc.",
        ),
        (
            awsvpc(json!({ "disableNetworking": true })),
            "Disable Networking is not supported on container when networkMode=awsvpc.",
        ),
        (container(json!({ "hostname": "a b" })), "Container.hostname contains invalid characters."),
        (container(json!({ "dnsServers": ["one"] })), "The DNS server 'one' is not an IP address"),
        (
            container(json!({ "extraHosts": [{ "hostname": "db", "ipAddress": "x" }] })),
            "needs a name and an IP address, not 'x'",
        ),
        (
            task(json!({ "proxyConfiguration": { "containerName": "app" } })),
            "APPMESH proxy configuration is only supported in networkMode=awsvpc.",
        ),
        (
            task(json!({ "networkMode": "awsvpc", "proxyConfiguration": { "containerName": "envoy" } })),
            "Proxy container [envoy] does not exist.",
        ),
        (
            task(json!({ "networkMode": "awsvpc", "proxyConfiguration": { "containerName": "app" } })),
            "IgnoredUID or IgnoredGID",
        ),
        (
            task(
                json!({ "networkMode": "awsvpc", "proxyConfiguration": { "containerName": "app", "properties": [{ "name": "IgnoredUID", "value": "1" }] } }),
            ),
            "the property AppPorts",
        ),
    ]
}

fn graph() -> Vec<Case> {
    let on = |container: &str, condition: &str| json!({ "dependsOn": [{ "containerName": container, "condition": condition }] });
    let from = |container: &str| json!({ "volumesFrom": [{ "sourceContainer": container }] });
    let linked = |container: &str| json!({ "links": [container] });
    vec![
        (container(on("db", "START")), "Cannot depend on container 'db' because it does not exist"),
        (container(on("app", "START")), "cannot depend on itself"),
        (pair(on("b", "START"), on("a", "START")), "Container dependsOn contains a cycle."),
        (
            pair(on("b", "COMPLETE"), json!({})),
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (pair(on("b", "SUCCESS"), json!({ "essential": true })), "cannot be an essential container"),
        (
            pair(on("b", "HEALTHY"), json!({})),
            "A dependency container with HEALTHY condition must have health check configured",
        ),
        (container(from("db")), "Invalid 'volumesFrom' setting. Unknown container: 'db'."),
        (container(from("app")), "cannot have volumesFrom itself"),
        (pair(from("b"), from("a")), "Container volumesFrom contains a cycle."),
        (pair(linked("b"), linked("a")), "wait for each other in a cycle"),
        (pair(on("b", "START"), from("a")), "wait for each other in a cycle"),
    ]
}

fn process() -> Vec<Case> {
    let role = json!({ "executionRoleArn": "arn:aws:iam::000000000000:role/exec" });
    let secret = |name: &str, from: &str| json!({ "secrets": [{ "name": name, "valueFrom": from }] });
    let clash =
        json!({ "environment": [{ "name": "KEY", "value": "v" }], "secrets": [{ "name": "KEY", "valueFrom": "p" }] });
    let files: Vec<Value> =
        (0..11).map(|n| json!({ "type": "s3", "value": format!("arn:aws:s3:::b/{n}.env") })).collect();
    vec![
        (container(json!({ "environment": [{ "value": "v" }] })), "name should not be null or empty"),
        (container(json!({ "environment": [{ "name": "A=B", "value": "v" }] })), "'A=B' contains invalid characters"),
        (
            container(json!({ "environmentFiles": files })),
            "The maximum number of environment files was exceeded. Specify ten or less and try again.",
        ),
        (
            container(json!({ "environmentFiles": [{ "type": "s3", "value": "s3://b/x.env" }] })),
            "must be the ARN of an S3 object",
        ),
        (
            container(json!({ "environmentFiles": [{ "type": "ssm", "value": "arn:aws:s3:::b/x.env" }] })),
            "type must be one of s3",
        ),
        (
            container(secret("KEY", "p")),
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ),
        (
            container(
                json!({ "repositoryCredentials": { "credentialsParameter": "arn:aws:secretsmanager:us-east-1:000000000000:secret:x" } }),
            ),
            "When you are specifying repository credentials",
        ),
        (both(role.clone(), secret("", "p")), "secret's name should not be null or empty"),
        (both(role.clone(), secret("KEY", "")), "valueFrom should not be null or empty"),
        (both(role, clash), "The secret name must be unique"),
        (container(json!({ "workingDirectory": "srv" })), "must be an absolute path"),
        (container(json!({ "user": "a:b:c" })), "must be a user or user:group"),
        (container(json!({ "user": "" })), "must be a user or user:group"),
        (container(json!({ "dockerLabels": { "": "x" } })), "label's name should not be empty"),
        (container(health(json!({ "command": [] }))), "must be CMD or CMD-SHELL"),
        (container(health(json!({ "command": ["curl"] }))), "must be CMD or CMD-SHELL"),
        (container(health(json!({ "command": ["CMD"] }))), "must be CMD or CMD-SHELL"),
        (container(health(json!({ "interval": 4 }))), "'interval' must be from 5 to 300"),
        (container(health(json!({ "timeout": 61 }))), "'timeout' must be from 2 to 60"),
        (container(health(json!({ "retries": 11 }))), "'retries' must be from 1 to 10"),
        (container(health(json!({ "startPeriod": 301 }))), "'startPeriod' must be from 0 to 300"),
        (
            container(json!({ "restartPolicy": { "enabled": true, "restartAttemptPeriod": 59 } })),
            "The 'restartAttemptPeriod' setting for container 'app' must be between 60 and 1800.",
        ),
        (
            container(json!({ "restartPolicy": { "enabled": true, "ignoredExitCodes": [256] } })),
            "at most 50 ignored exit codes",
        ),
        (
            container(json!({ "restartPolicy": { "enabled": true, "ignoredExitCodes": vec![1; 51] } })),
            "at most 50 ignored exit codes",
        ),
        (
            container(json!({ "startTimeout": 1 })),
            "Granular start timeout on container 'app' must be at least 2 seconds.",
        ),
        (
            container(json!({ "stopTimeout": 0 })),
            "Granular stop timeout on container 'app' must be at least 2 seconds.",
        ),
        (container(json!({ "credentialSpecs": ["file.json"] })), "credentialSpecs can have one entry"),
        (
            container(json!({ "resourceRequirements": [{ "type": "GPU", "value": "0" }] })),
            "'0' is not a value for the resource GPU",
        ),
        (
            container(json!({ "resourceRequirements": [{ "type": "InferenceAccelerator", "value": "d" }] })),
            "'d' is not a value",
        ),
    ]
}

fn kernel() -> Vec<Case> {
    let sysctl = |name: &str, value: &str| json!({ "systemControls": [{ "namespace": name, "value": value }] });
    let ulimit = |soft: i64, hard: i64| {
        container(json!({ "ulimits": [{ "name": "nofile", "softLimit": soft, "hardLimit": hard }] }))
    };
    let tmpfs = |change: Value| {
        let mut tmpfs = json!({ "containerPath": "/tmp", "size": 1 });
        merge(&mut tmpfs, change);
        linux(json!({ "tmpfs": [tmpfs] }))
    };
    vec![
        (linux(json!({ "capabilities": { "add": ["CAP_NET_ADMIN"] } })), "'CAP_NET_ADMIN' is not a Linux capability"),
        (linux(json!({ "capabilities": { "drop": ["FLY"] } })), "'FLY' is not a Linux capability"),
        (linux(json!({ "devices": [{ "hostPath": "dev/null" }] })), "must be absolute"),
        (
            linux(json!({ "devices": [{ "hostPath": "/dev/null", "permissions": ["own"] }] })),
            "permissions[0] must be one of",
        ),
        (linux(json!({ "sharedMemorySize": 0 })), "'sharedMemorySize' must be at least 1 MiB"),
        (linux(json!({ "maxSwap": -1 })), "'maxSwap' must not be negative"),
        (linux(json!({ "swappiness": 101 })), "'swappiness' must be from 0 to 100"),
        (tmpfs(json!({ "containerPath": "tmp" })), "must be absolute"),
        (tmpfs(json!({ "size": 0 })), "must be at least 1 MiB"),
        (tmpfs(json!({ "mountOptions": ["fast"] })), "'fast' is not a mount option"),
        (ulimit(2, 1), "Soft limit exceeds hard limit for ulimit nofile."),
        (ulimit(-1, 1), "Soft limit exceeds hard limit for ulimit nofile."),
        (ulimit(-2, 1), "must not be negative"),
        (container(sysctl("vm.swappiness", "1")), "is not a system control of a container"),
        (container(sysctl("net.core.somaxconn", "")), "needs a value"),
        (
            both(json!({ "networkMode": "host" }), sysctl("net.core.somaxconn", "1")),
            "not supported when networkMode=host",
        ),
        (both(json!({ "ipcMode": "host" }), sysctl("kernel.sem", "1")), "not supported when ipcMode=host"),
        (container(json!({ "dockerSecurityOptions": ["trusted"] })), "'trusted' is not a Docker security option"),
    ]
}

fn volumes_and_logs() -> Vec<Case> {
    let mount = |mounts: Value| both(json!({ "volumes": [{ "name": "data" }] }), json!({ "mountPoints": mounts }));
    let efs = |change: Value| {
        let mut efs = json!({ "fileSystemId": "fs-1" });
        merge(&mut efs, change);
        volume(json!({ "efsVolumeConfiguration": efs }))
    };
    vec![
        (volume(json!({ "name": null })), "Volume.name should not be null or empty."),
        (volume(json!({ "name": "a b" })), "Volume.name contains invalid characters."),
        (task(json!({ "volumes": [{ "name": "a" }, { "name": "a" }] })), "Volume names must be unique"),
        (
            volume(json!({ "host": {}, "dockerVolumeConfiguration": {} })),
            "Only one volume type may be configured per volume",
        ),
        (volume(json!({ "host": { "sourcePath": "srv" } })), "must be absolute"),
        (volume(json!({ "host": { "sourcePath": "/srv/../etc" } })), "must not have the part '..'"),
        (
            volume(json!({ "dockerVolumeConfiguration": { "scope": "task", "autoprovision": true } })),
            "'autoprovision' can only be used with the scope 'shared'",
        ),
        (volume(json!({ "dockerVolumeConfiguration": { "scope": "global" } })), "scope must be one of task, shared"),
        (
            task(
                json!({ "volumes": [{ "name": "a", "configuredAtLaunch": true }, { "name": "b", "configuredAtLaunch": true }] }),
            ),
            "at most one volume",
        ),
        (
            task(json!({ "volumes": [{ "name": "a", "configuredAtLaunch": true }] })),
            "Volumes [a] are not referenced by any of the containers.",
        ),
        (
            efs(json!({ "authorizationConfig": { "accessPointId": "fsap-1" } })),
            "EFS access points require TransitEncryption to be enabled.",
        ),
        (efs(json!({ "fileSystemId": "x" })), "'x' is not the id of an EFS file system"),
        (
            efs(json!({ "authorizationConfig": { "iam": "ENABLED" } })),
            "EFS IAM authorization requires TransitEncryption to be enabled.",
        ),
        (
            efs(json!({ "transitEncryptionPort": 99 })),
            "TransitEncryptionPort requires that TransitEncryption is enabled.",
        ),
        (efs(json!({ "transitEncryption": "ENABLED", "transitEncryptionPort": 0 })), "must be from 1 to 65535"),
        (
            efs(
                json!({ "transitEncryption": "ENABLED", "rootDirectory": "/x", "authorizationConfig": { "accessPointId": "fsap-1" } }),
            ),
            "the root directory must either be set to",
        ),
        (mount(json!([{ "sourceVolume": "logs", "containerPath": "/l" }])), "Unknown volume 'logs'."),
        (mount(json!([{ "sourceVolume": "data", "containerPath": "l" }])), "must be absolute"),
        (
            mount(
                json!([{ "sourceVolume": "data", "containerPath": "/l" }, { "sourceVolume": "data", "containerPath": "/l" }]),
            ),
            "'/l' is mounted twice",
        ),
        (container(awslogs(json!({ "awslogs-group": null }))), "Log driver awslogs requires options: awslogs-group"),
        (container(awslogs(json!({ "awslogs-region": null }))), "Log driver awslogs requires options: awslogs-region"),
        (container(awslogs(json!({ "awslogs-stream": "s" }))), "Log driver awslogs disallows options: awslogs-stream"),
        (container(awslogs(json!({ "awslogs-create-group": "yes" }))), "must be true or false"),
        (container(awslogs(json!({ "awslogs-group": "a b" }))), "is not the name of a log group"),
        (container(awslogs(json!({ "mode": "async" }))), "must be blocking or non-blocking, not 'async'"),
        (
            container(awslogs(json!({ "mode": "non-blocking", "max-buffer-size": "lots" }))),
            "must be a size such as 25m, not 'lots'",
        ),
        (
            container(awslogs(json!({ "mode": "blocking", "max-buffer-size": "25m" }))),
            "can only be used with the mode non-blocking",
        ),
        (
            container(json!({ "logConfiguration": { "logDriver": "json-file", "options": { "max-file": "0" } } })),
            "must be a number of at least 1",
        ),
        (
            container(json!({ "logConfiguration": { "logDriver": "awsfirelens" } })),
            "a firelens configuration object must be specified.",
        ),
        (
            container(json!({ "firelensConfiguration": { "type": "fluentbit" } })),
            "at least one container has to be configured with the awsfirelens log driver",
        ),
    ]
}

fn placement_and_roles() -> Vec<Case> {
    let constraint = |change: Value| task(json!({ "placementConstraints": [change] }));
    let many = vec![json!({ "type": "memberOf", "expression": "attribute:a exists" }); 11];
    vec![
        (task(json!({ "taskRoleArn": "arn:aws:s3:::bucket" })), "Role is not valid"),
        (task(json!({ "executionRoleArn": "arn:aws:iam::1:role/x" })), "Role is not valid"),
        (constraint(json!({ "type": "distinctInstance" })), "type must be one of memberOf"),
        (constraint(json!({ "type": "memberOf" })), "must have an expression"),
        (
            constraint(json!({ "type": "memberOf", "expression": "attribute:zone ==" })),
            "Invalid expression 'attribute:zone =='",
        ),
        (task(json!({ "placementConstraints": many })), "at most 10 placement constraints, not 11"),
        (
            task(
                json!({ "inferenceAccelerators": [{ "deviceName": "a", "deviceType": "t" }, { "deviceName": "a", "deviceType": "t" }] }),
            ),
            "Duplicate inference accelerator",
        ),
        (task(json!({ "enableFaultInjection": true })), "only supported when networkMode is awsvpc or host"),
        (
            task(json!({ "trustedExecutionConfiguration": { "isolationMode": "SHARED" } })),
            "only supported when requiresCompatibilities has MANAGED_INSTANCES",
        ),
        (task(json!({ "ephemeralStorage": { "sizeInGiB": 201 } })), "EphemeralStorage size should be at most 200."),
        (task(json!({ "ephemeralStorage": { "sizeInGiB": 20 } })), "EphemeralStorage size should be at least 21."),
        (
            task(json!({ "ephemeralStorage": { "sizeInGiB": 30 }, "requiresCompatibilities": ["EC2"] })),
            "Tasks using the EC2 launch type do not support EphemeralStorage.",
        ),
    ]
}

fn launch_types() -> Vec<Case> {
    let none = || json!({});
    let role = || json!({ "executionRoleArn": "arn:aws:iam::000000000000:role/exec" });
    vec![
        (fargate(json!({ "networkMode": "bridge" }), none()), "Fargate only supports network mode ‘awsvpc’."),
        (fargate(json!({ "cpu": null }), none()), "Fargate requires that 'cpu' be defined at the task level."),
        (fargate(json!({ "memory": null }), none()), "Fargate requires that 'memory' be defined at the task level."),
        (
            fargate(json!({ "memory": "4096" }), none()),
            "No Fargate configuration exists for given values: 256 CPU, 4096 memory.",
        ),
        (
            fargate(json!({ "pidMode": "host" }), none()),
            "Tasks using the Fargate launch type do not support pidMode 'host'.",
        ),
        (fargate(json!({ "ipcMode": "task" }), none()), "Fargate compatible task definitions do not support ipcMode."),
        (
            fargate(
                json!({ "placementConstraints": [{ "type": "memberOf", "expression": "attribute:a exists" }] }),
                none(),
            ),
            "Fargate compatible task definitions do not support constraints.",
        ),
        (
            fargate(json!({ "volumes": [{ "name": "v", "host": { "sourcePath": "/srv" } }] }), none()),
            "Fargate compatible task definitions do not support sourcePath.",
        ),
        (
            fargate(json!({ "volumes": [{ "name": "v", "dockerVolumeConfiguration": {} }] }), none()),
            "do not support dockerVolumeConfiguration",
        ),
        (fargate(none(), json!({ "privileged": true })), "Fargate requires that the 'privileged' setting be 'false'"),
        (
            fargate(none(), json!({ "dockerSecurityOptions": ["no-new-privileges"] })),
            "do not support dockerSecurityOptions",
        ),
        (
            fargate(none(), json!({ "resourceRequirements": [{ "type": "GPU", "value": "1" }] })),
            "do not support GPU resource requirements.",
        ),
        (fargate(none(), json!({ "stopTimeout": 121 })), "stop timeout of at most 120 seconds"),
        (fargate(none(), json!({ "startTimeout": 121 })), "start timeout of at most 120 seconds"),
        (
            fargate(none(), json!({ "linuxParameters": { "devices": [{ "hostPath": "/dev/null" }] } })),
            "do not support devices",
        ),
        (fargate(none(), json!({ "linuxParameters": { "sharedMemorySize": 1 } })), "do not support sharedMemorySize"),
        (fargate(none(), json!({ "linuxParameters": { "maxSwap": 1 } })), "do not support maxSwap."),
        (
            fargate(none(), json!({ "linuxParameters": { "capabilities": { "add": ["NET_ADMIN"] } } })),
            "NET_ADMIN is not allowed on Fargate.",
        ),
        (
            fargate(role(), json!({ "logConfiguration": { "logDriver": "json-file" } })),
            "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
        ),
        (fargate(none(), awslogs(none())), "execution role ARN to support log driver awslogs."),
        (fargate(role(), awslogs(none())), "include awslogs-stream-prefix to support log driver awslogs."),
        (
            fargate(json!({ "runtimePlatform": { "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE" } }), none()),
            "No Fargate configuration exists for given values.",
        ),
        (
            fargate(none(), json!({ "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:1" })),
            "execution role ARN to support ECR images.",
        ),
        (
            task(json!({ "requiresCompatibilities": ["EXTERNAL"], "networkMode": "awsvpc" })),
            "External launch type do not support network mode 'awsvpc'",
        ),
        (task(json!({ "requiresCompatibilities": ["MANAGED_INSTANCES"] })), "network mode other than awsvpc and host"),
    ]
}

#[tokio::test]
async fn every_class_of_bad_input_is_a_client_exception_that_says_what_is_wrong_and_stores_nothing() {
    let context = testing::context().await;
    let groups = [
        names_and_sizes(),
        words_of_the_model(),
        network(),
        graph(),
        process(),
        kernel(),
        volumes_and_logs(),
        placement_and_roles(),
        launch_types(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    assert!(cases.len() > 150, "{}", cases.len());
    for (document, sentence) in cases {
        let answer = register_task_definition(context.clone(), input(&document)).await;
        let error = answer.expect_err(&format!("{sentence}\n{document:#}"));
        assert_eq!(error.code, "ClientException", "{document:#}");
        assert!(error.message.contains(sentence), "wanted: {sentence}\nfound: {}", error.message);
    }
    let snapshot = context.records().current();
    assert!(snapshot.families.is_empty() && snapshot.task_definitions.is_empty());
}

#[tokio::test]
async fn bad_tags_are_invalid_parameters() {
    let context = testing::context().await;
    for tags in [json!([{ "key": "aws:x" }]), json!([{ "key": "k", "value": "1" }, { "key": "k", "value": "2" }])] {
        let input = input(&task(json!({ "tags": tags })));
        let error = register_task_definition(context.clone(), input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
    }
    assert!(context.records().current().families.is_empty());
}
