//! Who reaches whom: tasks, the host and the outside, by real transfers.

mod support;

use support::*;

#[test]
fn the_host_and_a_task_reach_each_other() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let task = fixture.task(0, 5);
        serve(&task.namespace, 80);
        let host = current_namespace();
        let host_address = fixture.network.spec().host_address();
        assert_reaches(&host, task.address, 80, host_address);

        serve(&host, 8080);
        assert_reaches(&task.namespace, host_address, 8080, task.address);
    });
}
