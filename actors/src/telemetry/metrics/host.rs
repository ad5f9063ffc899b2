//! What the process takes of its machine, under the names that every exporter of Prometheus has for it, and how its log is
//! doing. Read when somebody asks.

use parsec_host::{log, process};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Host;

impl Collector for Host {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut write = |name: &str, help: &str, metric: &dyn Written| metric.write(&mut encoder, name, help);
        let lost = log::of_process().map_or(0, log::Log::lost);
        write("parsec_log_lines_lost", "Log lines that could not be written", &ConstCounter::new(lost))?;
        let Some(figures) = process::figures() else { return Ok(()) };
        let (cpu, started) = (figures.cpu.as_secs_f64(), figures.started.as_secs_f64());
        let amount = |number: u64| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        write("process_cpu_seconds", "Time on processors, in user and system mode", &ConstCounter::new(cpu))?;
        write("process_start_time_seconds", "When the process was started, since 1970", &ConstGauge::new(started))?;
        write("process_resident_memory_bytes", "Memory in use", &amount(figures.resident_bytes))?;
        write("process_virtual_memory_bytes", "Memory that has addresses", &amount(figures.virtual_bytes))?;
        write("process_open_fds", "Open files, sockets among them", &amount(figures.open_files))?;
        write("process_max_fds", "How many open files there may be", &amount(figures.max_files))?;
        write("process_threads", "Threads", &amount(figures.threads))
    }
}

/// A metric of any type.
trait Written {
    fn write(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> std::fmt::Result;
}

impl<M: EncodeMetric> Written for M {
    fn write(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> std::fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}
