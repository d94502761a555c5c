//! Sizes of tasks: the spellings of cpu and memory, the sizes that Fargate has, and whether containers fit in.

use aws_api::ecs::{ContainerDefinition, TaskDefinition};

/// A task's cpu in CPU units, from "256", "1 vCPU" or ".5 vcpu"; None if it is none of these or no whole number of units.
pub(crate) fn cpu_units(text: &str) -> Option<u32> {
    units(text, &[("vcpus", 1024), ("vcpu", 1024)])
}

/// A task's memory in MiB, from "512", "2 GB" or "0.5GB"; None if it is none of these or no whole number of MiB.
pub(crate) fn memory_mib(text: &str) -> Option<u32> {
    units(text, &[("gib", 1024), ("gb", 1024), ("mib", 1), ("mb", 1)])
}

/// A decimal number, times the factor of its suffix. Exact: at most six digits on either side of the point.
fn units(text: &str, suffixes: &[(&str, u64)]) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let suffix = suffixes.iter().find_map(|(name, factor)| Some((text.strip_suffix(name)?, *factor)));
    let (number, factor) = suffix.unwrap_or((&text, 1));
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let millionths: u64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").parse().ok()? };
    let total = whole.checked_mul(1_000_000)?.checked_add(millionths)?.checked_mul(factor)?;
    total.is_multiple_of(1_000_000).then(|| u32::try_from(total / 1_000_000).ok()).flatten()
}

/// Whether Fargate has a size (Developer Guide, "Task CPU and memory").
pub(crate) fn fargate_has(cpu: u32, memory_mib: u32) -> bool {
    let (from, to, step) = match cpu {
        256 => return [512, 1024, 2048].contains(&memory_mib),
        512 => (1, 4, 1),
        1024 => (2, 8, 1),
        2048 => (4, 16, 1),
        4096 => (8, 30, 1),
        8192 => (16, 60, 4),
        16384 => (32, 120, 8),
        _ => return false,
    };
    let gib = memory_mib / 1024;
    memory_mib.is_multiple_of(1024) && (from..=to).contains(&gib) && (gib - from).is_multiple_of(step)
}

/// Why a definition's containers do not fit into the task's own size; None if they do.
pub(crate) fn misfit(definition: &TaskDefinition) -> Option<String> {
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    let sum = |of: fn(&ContainerDefinition) -> Option<i32>| -> i64 {
        containers.iter().map(|c| i64::from(of(c).unwrap_or(0))).sum()
    };
    let too_much = |field: &str, task_field: &str, sum: i64, task: i64| {
        (sum > task).then(|| {
            format!(
                "The sum of all container '{field}' values cannot be greater than the value of the task '{task_field}': {sum} of {task}."
            )
        })
    };
    if let Some(cpu) = definition.cpu.as_deref().and_then(cpu_units).map(i64::from)
        && let Some(why) = too_much("cpu", "cpu", sum(|c| c.cpu), cpu)
    {
        return Some(why);
    }
    let memory = definition.memory.as_deref().and_then(memory_mib).map(i64::from)?;
    if let Some(container) = containers.iter().find(|c| i64::from(c.memory.unwrap_or(0)) > memory) {
        let name = container.name.as_deref().unwrap_or_default();
        return Some(format!("The 'memory' setting for container '{name}' is greater than for the task."));
    }
    too_much("memoryReservation", "memory", sum(|c| c.memory_reservation), memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_and_memory_are_understood_in_every_documented_spelling() {
        for (text, units) in
            [("256", 256), ("1 vCPU", 1024), ("1vcpu", 1024), (".25 vCPU", 256), ("0.5 VCPU", 512), ("16 vCPUs", 16384)]
        {
            assert_eq!(cpu_units(text), Some(units), "{text}");
        }
        for (text, mib) in
            [("512", 512), ("1 GB", 1024), ("0.5GB", 512), ("2gb", 2048), ("30 GB", 30720), ("100 MB", 100)]
        {
            assert_eq!(memory_mib(text), Some(mib), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_number_of_units_is_no_size() {
        for text in [
            "",
            " ",
            ".",
            "vCPU",
            "-1",
            "1 GB",
            "a",
            "0.0001 vCPU",
            "1e3",
            "99999999999999999999",
            "4194304 vCPU",
            "+5",
            "1.2.3",
        ] {
            assert_eq!(cpu_units(text), None, "{text}");
        }
        assert_eq!(memory_mib("1 vCPU"), None);
    }

    #[test]
    fn fargate_has_exactly_the_documented_sizes() {
        let mut sizes = Vec::new();
        for cpu in [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768] {
            let of_cpu = (0..=256).map(|half| half * 512).filter(|mib| fargate_has(cpu, *mib));
            sizes.extend(of_cpu.map(|mib| (cpu, mib)));
        }
        let count = |cpu| sizes.iter().filter(|(c, _)| *c == cpu).count();
        assert_eq!([256, 512, 1024, 2048, 4096, 8192, 16384].map(count), [3, 4, 7, 13, 23, 12, 12]);
        assert_eq!((count(128), count(32768)), (0, 0));
        assert!(fargate_has(8192, 61440) && !fargate_has(8192, 63488) && !fargate_has(256, 513));
    }
}
