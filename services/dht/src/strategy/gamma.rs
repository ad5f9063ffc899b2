//! The inverse of the regularised incomplete gamma function, which the thresholds of optimistic provide are made of.

use std::f64::consts::PI;

/// Terms of the series beyond which nothing is added any more at the shapes that occur (up to a few hundred).
const MAX_TERMS: u32 = 10_000;

/// Halvings of an interval after which a double has no digits left.
const HALVINGS: u32 = 100;

/// The x below which a Gamma(`shape`, 1) variable stays with this probability: the x at which P(shape, x) = `probability`.
///
/// `shape` is a positive multiple of one half, `probability` lies between 0 and 1, both exclusive.
pub(super) fn inverse_regularised(shape: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while regularised(shape, high) < probability {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if regularised(shape, middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// P(a, x) = x^a e^−x / Γ(a + 1) · (1 + x/(a+1) + x²/((a+1)(a+2)) + …): every term is positive, so nothing cancels out.
fn regularised(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..MAX_TERMS {
        term *= x / (shape + f64::from(n));
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    (shape * x.ln() - x - ln_gamma(shape + 1.0) + sum.ln()).exp()
}

/// ln Γ(x) for a positive multiple of one half: from Γ(1) = 1 or Γ(1/2) = √π upwards by Γ(x + 1) = x Γ(x).
fn ln_gamma(x: f64) -> f64 {
    let whole = x.fract() == 0.0;
    let (mut at, mut ln) = if whole { (1.0, 0.0) } else { (0.5, PI.ln() / 2.0) };
    while at < x {
        ln += f64::ln(at);
        at += 1.0;
    }
    ln
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a whole shape, P is one minus the probability of fewer than `shape` events of a Poisson process.
    fn by_poisson(shape: u32, x: f64) -> f64 {
        let terms = (0..shape).scan(1.0, |term, n| {
            let now = *term;
            *term *= x / f64::from(n + 1);
            Some(now)
        });
        1.0 - (-x).exp() * terms.sum::<f64>()
    }

    #[test]
    fn the_series_agrees_with_the_poisson_sum() {
        for shape in [1, 2, 3, 4, 11, 20, 40] {
            for x in [0.1, 1.0, 5.0, 14.525, 15.407, 60.0] {
                let difference = regularised(f64::from(shape), x) - by_poisson(shape, x);
                assert!(difference.abs() < 1e-12, "shape {shape}, x {x}: {difference}");
            }
        }
    }

    #[test]
    fn shape_one_half_is_the_error_function() {
        // P(1/2, x) = erf(√x); erf(1) from a table.
        assert!((regularised(0.5, 1.0) - 0.842_700_792_949_714_9).abs() < 1e-12);
    }

    #[test]
    fn the_inverse_undoes_the_function() {
        for shape in [0.5, 1.0, 2.5, 11.0, 20.0, 51.0] {
            for probability in [0.001, 0.1, 0.5, 0.9, 0.999] {
                let back = regularised(shape, inverse_regularised(shape, probability));
                assert!((back - probability).abs() < 1e-12, "shape {shape}: {back} for {probability}");
            }
        }
    }

    #[test]
    fn shape_one_has_a_closed_form() {
        assert!((inverse_regularised(1.0, 0.9) - 10.0_f64.ln()).abs() < 1e-12);
    }
}
