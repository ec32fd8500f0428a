//! Agreement of labels and predictions beyond chance.

use super::confusion::Confusion;
use super::metric::Disagreement;
use super::scores::Scores;

/// Matthews' correlation coefficient of any number of classes. Of two, torchmetrics says 1 where all is
/// right, -1 where all is wrong, and goes to a limit where a class neither occurs nor was predicted; of more
/// it says 0 there.
pub fn matthews(confusion: &Confusion) -> f64 {
    let scores = Scores::of(confusion.classes, confusion.counts());
    let (samples, hits) = (scores.samples() as f64, scores.hits() as f64);
    let products = |of: fn(&super::ClassScores) -> f64| scores.classes.iter().map(of).sum::<f64>();
    let predicted = products(|class| class.predicted as f64 * class.predicted as f64);
    let occurring = products(|class| class.support as f64 * class.support as f64);
    let both = products(|class| class.predicted as f64 * class.support as f64);
    let product = (samples * samples - predicted) * (samples * samples - occurring);
    let is_binary = confusion.classes == 2;
    if is_binary && samples > 0.0 && (hits == samples || hits == 0.0) {
        return if hits == samples { 1.0 } else { -1.0 };
    }
    if product != 0.0 {
        return (hits * samples - both) / product.sqrt();
    }
    if is_binary { at_the_limit(&scores) } else { 0.0 }
}

/// Of two classes of which one does not occur, or was not predicted.
fn at_the_limit(scores: &Scores) -> f64 {
    let epsilon = f64::from(f32::EPSILON);
    let (samples, hits) = (scores.samples() as f64, scores.hits() as f64);
    let counts = scores.classes.iter().flat_map(|class| [class.predicted, class.support]);
    let product: f64 = counts.map(|count| count as f64 + epsilon).product();
    epsilon.sqrt() * (hits - (samples - hits)) / product.sqrt()
}

/// Cohen's kappa; not a number where chance alone leaves nothing to disagree on.
pub fn kappa(confusion: &Confusion, disagreement: Disagreement) -> f64 {
    let scores = Scores::of(confusion.classes, confusion.counts());
    let samples = scores.samples() as f64;
    let weight = |label: usize, predicted: usize| {
        let distance = label.abs_diff(predicted) as f64;
        match disagreement {
            Disagreement::Equal => f64::from(u8::from(label != predicted)),
            Disagreement::Linear => distance,
            Disagreement::Quadratic => distance * distance,
        }
    };
    let observed: f64 =
        confusion.counts().map(|(label, predicted, count)| weight(label, predicted) * count as f64).sum();
    let classes = || scores.classes.iter().enumerate();
    let expected: f64 = classes()
        .filter(|(_, class)| class.support > 0)
        .flat_map(|(label, class)| {
            classes().map(move |(predicted, other)| {
                weight(label, predicted) * class.support as f64 * other.predicted as f64
            })
        })
        .sum();
    1.0 - observed / (expected / samples)
}
