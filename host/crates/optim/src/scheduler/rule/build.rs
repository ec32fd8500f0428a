//! From the settings of a schedule to its rule.

use super::Rule;
use crate::scheduler::config::{Cosine, Interval, Linear, Schedule, SchedulerConfig};
use crate::scheduler::cyclic::Cycles;
use crate::scheduler::expression::Expression;
use crate::scheduler::one_cycle::Curve;
use crate::scheduler::{Result, RunLength};

/// What a schedule may span: how often it advances, and how.
#[derive(Clone, Copy)]
struct Span<'l> {
    advances: usize,
    interval: Interval,
    frequency: usize,
    length: &'l RunLength,
}

impl Rule {
    /// With all defaults, in a run of this length.
    pub(in crate::scheduler) fn new(config: &SchedulerConfig, length: &RunLength) -> Result<Rule> {
        let steps = length.steps();
        let events = match config.interval {
            Interval::Epoch => {
                let counted = steps.saturating_add_signed(-length.extra());
                length.max_epochs.min(length.epochs_for(counted))
            }
            Interval::Step => steps,
        };
        let advances = (events / config.frequency).max(1);
        let (interval, frequency) = (config.interval, config.frequency);
        Rule::of(&config.schedule, Span { advances, interval, frequency, length })
    }

    fn of(schedule: &Schedule, span: Span<'_>) -> Result<Rule> {
        Ok(match schedule {
            Schedule::Constant { factor, total_iters } => {
                Rule::Constant { factor: *factor, total_iters: *total_iters }
            }
            Schedule::Step(step) => Rule::Step(*step),
            Schedule::MultiStep(steps) => Rule::MultiStep(steps.clone()),
            Schedule::Exponential { gamma } => Rule::Exponential { gamma: *gamma },
            Schedule::Cosine(Cosine { t_max, eta_min }) => {
                Rule::Cosine { t_max: t_max.unwrap_or(span.advances), eta_min: *eta_min }
            }
            Schedule::CosineWarmRestarts(restarts) => Rule::CosineWarmRestarts(*restarts),
            Schedule::Linear(linear) => Rule::Linear(*linear),
            Schedule::Polynomial(polynomial) => Rule::Polynomial(*polynomial),
            Schedule::Lambda(lambda) => Rule::Lambda {
                factor: Box::new(Expression::parse(&lambda.text())?),
                interval: span.interval,
                frequency: span.frequency,
                length: span.length.clone(),
            },
            Schedule::OneCycle(cycle) => {
                Rule::OneCycle(Box::new(Curve::new(cycle.clone(), cycle.length().unwrap_or(span.advances))))
            }
            Schedule::Cyclic(cycle) => Rule::Cyclic(Box::new(Cycles::new(cycle.clone()))),
            Schedule::ReduceOnPlateau(_) => Rule::Hold,
            Schedule::Sequential(sequential) => {
                let starts = std::iter::once(0).chain(sequential.milestones.iter().copied());
                Rule::sequence(starts.zip(&sequential.schedulers), span)?
            }
            Schedule::Chained(chained) => Rule::Chained(
                chained.schedulers.iter().map(|schedule| Rule::of(schedule, span)).collect::<Result<_>>()?,
            ),
            Schedule::Warmup(warmup) => {
                let rise = Schedule::Linear(Linear {
                    start_factor: warmup.start_factor,
                    end_factor: 1.0,
                    total_iters: warmup.total_iters,
                });
                let hold = Schedule::Constant { factor: 1.0, total_iters: 0 };
                let after = warmup.scheduler.as_deref().unwrap_or(&hold);
                Rule::sequence([(0, &rise), (warmup.total_iters, after)].into_iter(), span)?
            }
        })
    }

    fn sequence<'a>(children: impl Iterator<Item = (usize, &'a Schedule)>, span: Span<'_>) -> Result<Rule> {
        let children: Vec<_> = children.collect();
        let ends = children.iter().skip(1).map(|(start, _)| *start).chain([span.advances]);
        let rules = children.iter().zip(ends).map(|((start, schedule), end)| {
            let advances = end.saturating_sub(*start).max(1);
            Ok((*start, Rule::of(schedule, Span { advances, ..span })?))
        });
        Ok(Rule::Sequential(rules.collect::<Result<_>>()?))
    }
}
