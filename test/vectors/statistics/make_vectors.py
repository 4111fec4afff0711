"""Makes the vectors beside it, from implementations that know nothing of this project.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install -r test/vectors/statistics/requirements.txt
    /tmp/vectors/bin/python test/vectors/statistics/make_vectors.py

special.json       mpmath at 50 digits, rounded to doubles; scipy where a parameter is large
fixed.json         GrowthBook's engine (gbstats), scipy, statsmodels
sequential.json    GrowthBook's sequential engine, Optimizely's ssrm_test, mpmath
"""

import dataclasses
import json
import os

import mpmath as mp
import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior
from gbstats.frequentist.tests import (
    FrequentistConfig,
    SequentialConfig,
    SequentialTwoSidedTTest,
    TwoSidedTTest,
)
from gbstats.models.statistics import (
    ProportionStatistic,
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
    compute_theta,
)
from ssrm_test.ssrm_test import sequential_posteriors
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

mp.mp.dps = 50
rng = np.random.default_rng(20261122)


def write(name, vectors):
    def plain(value):
        if isinstance(value, (mp.mpf, np.floating)):
            return float(value)
        if isinstance(value, np.integer):
            return int(value)
        raise TypeError(type(value))

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w", encoding="utf-8") as file:
        lines = []
        for key, rows in vectors.items():
            body = ",\n    ".join(json.dumps(row, default=plain) for row in rows)
            lines.append(f'  "{key}": [\n    {body}\n  ]')
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def normal_cdf(z):
    return mp.erfc(-mp.mpf(z) / mp.sqrt(2)) / 2


def normal_quantile(p):
    return mp.findroot(lambda z: normal_cdf(z) / mp.mpf(p) - 1, scipy.stats.norm.ppf(p))


# mpmath's series take hours where a parameter is large; there scipy's Boost is asked.
MANY = 200


def student_tail(t, df):
    if df > MANY:
        return scipy.stats.t.sf(t, df)
    t, df = mp.mpf(t), mp.mpf(df)
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


def upper_gamma(a, x):
    if a > MANY:
        return scipy.special.gammaincc(a, x)
    return mp.gammainc(mp.mpf(a), mp.mpf(x), mp.inf, regularized=True)


def lower_gamma(a, x):
    if a > MANY:
        return scipy.special.gammainc(a, x)
    return mp.gammainc(mp.mpf(a), 0, mp.mpf(x), regularized=True)


def incomplete_beta(a, b, x):
    if max(a, b) > MANY:
        return scipy.special.betainc(a, b, x)
    return mp.betainc(mp.mpf(a), mp.mpf(b), 0, mp.mpf(x), regularized=True)


def special():
    p_values = [1e-300, 1e-100, 1e-20, 1e-10, 1e-6, 0.001, 0.025, 0.2, 0.4999, 0.5, 0.75, 0.975, 0.999999]
    return {
        "logGamma": [
            {"x": x, "value": mp.loggamma(mp.mpf(x))}
            for x in [1e-8, 0.1, 0.5, 1, 1.5, 2, 3.7, 9.99, 10, 25.5, 171, 1e4, 1e7, 1e12]
        ],
        "normalCdf": [
            {"z": z, "value": normal_cdf(z)}
            for z in [-37, -20, -10, -6, -3, -1.96, -1, -0.5, -1e-3, 0, 1e-9, 0.3, 1, 1.96, 3, 6, 8]
        ],
        "normalQuantile": [{"p": p, "value": normal_quantile(p)} for p in p_values],
        "expectedExcess": [
            {
                "mean": m,
                "deviation": s,
                "value": mp.mpf(m) * normal_cdf(mp.mpf(m) / s) + s * mp.npdf(mp.mpf(m) / s),
            }
            for m, s in [(0, 1), (1, 2), (-1, 2), (-5, 1), (-10, 1), (-20, 1), (3, 0.5)]
        ],
        "studentTail": [
            {"t": t, "degrees": df, "value": student_tail(t, df)}
            for df in [1, 2, 3.5, 10, 58.3, 1000, 1e5, 1e7]
            for t in [0.01, 0.5, 1.96, 4, 10, 30]
        ],
        "studentQuantile": [
            {"p": p, "degrees": df, "value": scipy.stats.t.ppf(p, df)}
            for df in [1, 2.5, 7, 100, 6500.5]
            for p in [1e-8, 0.0005, 0.025, 0.3, 0.9, 0.995]
        ],
        "upperGamma": [
            {"a": a, "x": x, "value": upper_gamma(a, x)}
            for a, x in [
                (0.5, 0.01), (0.5, 2), (0.5, 50), (0.5, 600), (1, 1), (2.5, 0.1), (2.5, 9), (10, 3), (10, 10.5),
                (10, 60), (500, 480), (500, 700), (50000, 49000), (50000, 51500),
            ]
        ],
        "lowerGamma": [
            {"a": a, "x": x, "value": lower_gamma(a, x)}
            for a, x in [(0.5, 1e-12), (3, 0.001), (10, 1), (500, 400), (50000, 49000)]
        ],
        "chiSquareTail": [
            {"value": x, "degrees": k, "tail": upper_gamma(k / 2, x / 2)}
            for x, k in [(3.841458820694124, 1), (0.5, 1), (40, 1), (300, 2), (11.07, 5), (90, 60), (1200, 1000)]
        ],
        "incompleteBeta": [
            {"a": a, "b": b, "x": x, "value": incomplete_beta(a, b, x)}
            for a, b, x in [
                (1, 1, 0.3), (0.5, 0.5, 0.01), (2, 3, 0.9), (101, 901, 0.1), (101, 901, 0.05), (101, 901, 0.16),
                (1, 5001, 1e-4), (3, 1e6, 2e-6), (2e4, 3e4, 0.4), (2e4, 3e4, 0.39), (2e4, 3e4, 0.42),
            ]
        ],
        "logBeta": [
            {"a": a, "b": b, "value": mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(mp.mpf(a) + b)}
            for a, b in [(0.5, 0.5), (2, 3), (0.5, 5e5), (12, 1e6), (300, 400), (1e6, 1e6), (9.9, 10.1)]
        ],
    }


def mean_statistic(mean, deviation, n):
    values = rng.normal(mean, deviation, n)
    return SampleMeanStatistic(n=n, sum=float(values.sum()), sum_squares=float((values**2).sum()))


def arm(stat):
    if isinstance(stat, ProportionStatistic):
        return {"kind": "proportion", "units": stat.n, "successes": stat.sum}
    return {"kind": "mean", "n": stat.n, "sum": stat.sum, "sumSquares": stat.sum_squares}


def with_theta(statistics):
    """The engine leaves it to its caller to set the slope that both arms share."""
    if isinstance(statistics[0], RegressionAdjustedStatistic):
        return [dataclasses.replace(s, theta=compute_theta(*statistics)) for s in statistics]
    return statistics


def fixed():
    pairs = [
        (SampleMeanStatistic(sum=1396.87, sum_squares=52377.9767, n=3407),
         SampleMeanStatistic(sum=2422.7, sum_squares=134698.29, n=3461)),
        (ProportionStatistic(sum=14, n=28), ProportionStatistic(sum=16, n=30)),
        (ProportionStatistic(sum=912, n=90000), ProportionStatistic(sum=131, n=10000)),
        (mean_statistic(20, 5, 9000), mean_statistic(20.3, 7, 1000)),
        (mean_statistic(3, 1, 400), mean_statistic(2.9, 1.5, 350)),
    ]
    welch = []
    for a, b in pairs:
        for kind in ["relative", "absolute"]:
            result = TwoSidedTTest(a, b, FrequentistConfig(difference_type=kind)).compute_result()
            welch.append({"control": arm(a), "variant": arm(b), "scale": kind, "estimate": result.expected,
                          "interval": list(result.ci), "p": result.p_value, "standardError": result.uplift.stddev})
    ratio = []
    for shift in [0, 0.05]:
        statistics = []
        for n in [800, 120]:
            impressions = rng.poisson(6, n) + 1
            clicks = rng.binomial(impressions, 0.2 + shift * (n == 120))
            statistics.append(RatioStatistic(
                n=n,
                m_statistic=SampleMeanStatistic(n=n, sum=int(clicks.sum()), sum_squares=int((clicks**2).sum())),
                d_statistic=SampleMeanStatistic(n=n, sum=int(impressions.sum()), sum_squares=int((impressions**2).sum())),
                m_d_sum_of_products=int((clicks * impressions).sum())))
        result = TwoSidedTTest(*with_theta(statistics), FrequentistConfig(difference_type="relative")).compute_result()
        ratio.append({
            "arms": [{"n": s.n, "x": s.m_statistic.sum, "xx": s.m_statistic.sum_squares, "y": s.d_statistic.sum,
                      "yy": s.d_statistic.sum_squares, "xy": s.m_d_sum_of_products} for s in statistics],
            "estimate": result.expected, "interval": list(result.ci), "p": result.p_value})
    cuped = []
    for slope in [0.8, -0.3]:
        arms, statistics = [], []
        for n, effect in [(600, 0.0), (500, 0.15)]:
            before = rng.normal(3, 1, n)
            after = 10 + slope * before + effect + rng.normal(0, 0.7, n)
            arms.append({"before": [round(v, 6) for v in before.tolist()], "after": [round(v, 6) for v in after.tolist()]})
            before, after = np.array(arms[-1]["before"]), np.array(arms[-1]["after"])
            statistics.append(RegressionAdjustedStatistic(
                n=n,
                post_statistic=SampleMeanStatistic(n=n, sum=float(after.sum()), sum_squares=float((after**2).sum())),
                pre_statistic=SampleMeanStatistic(n=n, sum=float(before.sum()), sum_squares=float((before**2).sum())),
                post_pre_sum_of_products=float((after * before).sum()), theta=0))
        theta = compute_theta(*statistics)
        relative = TwoSidedTTest(*with_theta(statistics), FrequentistConfig(difference_type="relative")).compute_result()
        absolute = TwoSidedTTest(*with_theta(statistics), FrequentistConfig(difference_type="absolute")).compute_result()
        both = np.concatenate([np.array(a["after"]) for a in arms]), np.concatenate([np.array(a["before"]) for a in arms])
        cuped.append({"arms": arms, "theta": theta, "varianceReduction": float(np.corrcoef(*both)[0, 1] ** 2),
                      "difference": absolute.expected, "interval": list(absolute.ci), "lift": relative.expected,
                      "p": absolute.p_value})
    bayesian = []
    for a, b in pairs:
        for prior in [None, (0.1, 0.1)]:
            config = EffectBayesianConfig() if prior is None else EffectBayesianConfig(
                prior_effect=GaussianPrior(mean=prior[0], variance=prior[1], proper=True))
            result = EffectBayesianABTest(a, b, config).compute_result()
            bayesian.append({"control": arm(a), "variant": arm(b),
                             "prior": None if prior is None else {"mean": prior[0], "deviation": prior[1] ** 0.5},
                             "chanceToWin": result.chance_to_win, "loss": result.risk[1], "lossOfControl": result.risk[0],
                             "interval": list(result.ci)})
    proportions = []
    for (a, b), (c, d) in [((1, 1), (1, 1)), ((11, 91), (16, 86)), ((1, 101), (3, 99)), ((501, 49501), (61, 4941)),
                           ((2, 3), (2001, 3001)), ((1, 5001), (1, 501)), ((300.5, 700.5), (320.25, 680.75))]:
        control, variant = scipy.stats.beta(a, b), scipy.stats.beta(c, d)
        edges = [dist.ppf(q) for dist in (control, variant) for q in (1e-15, 1e-6, 0.01, 0.3, 0.7, 0.99, 1 - 1e-6)]
        edges = sorted({0.0, 1.0, *(float(e) for e in edges)})

        def integral(f):
            return sum(scipy.integrate.quad(f, x, y, epsabs=0, epsrel=1e-13)[0] for x, y in zip(edges, edges[1:]))

        win = integral(lambda x: variant.pdf(x) * control.cdf(x))
        # E[max(control - variant, 0)] = ∫ P(control > x) P(variant < x) dx
        loss = integral(lambda x: control.sf(x) * variant.cdf(x))
        proportions.append({"control": {"a": a, "b": b}, "variant": {"a": c, "b": d}, "chanceToWin": win, "loss": loss})
    corrections = []
    for p_values in [[0.01, 0.04, 0.03, 0.005], [0.5, 0.01, 0.01, 0.9, 0.2], rng.uniform(0, 0.2, 12).round(6).tolist()]:
        corrections.append({"p": p_values, "holm": multipletests(p_values, method="holm")[1].tolist(),
                            "benjaminiHochberg": multipletests(p_values, method="fdr_bh")[1].tolist()})
    chi_square = []
    for units, shares in [([1000, 1200], [0.5, 0.5]), ([9100, 900], [0.9, 0.1]), ([500, 500, 600], [0.34, 0.33, 0.33])]:
        expected = np.array(shares) * sum(units)
        statistic, p = scipy.stats.chisquare(units, expected)
        chi_square.append({"units": units, "weights": shares, "statistic": statistic, "p": p})
    powers = []
    solver = NormalIndPower()
    for effect, ratio_, alpha, wanted in [(0.1, 1, 0.05, 0.8), (0.05, 1, 0.01, 0.9), (0.2, 9, 0.05, 0.8), (0.1, 1 / 9, 0.025, 0.8)]:
        n1 = solver.solve_power(effect_size=effect, ratio=ratio_, alpha=alpha, power=wanted)
        powers.append({"effect": effect, "ratio": ratio_, "alpha": alpha, "power": wanted, "firstArm": float(n1),
                       "at1000": float(solver.power(effect, 1000, alpha, ratio=ratio_))})
    return {"welch": welch, "ratio": ratio, "cuped": cuped, "bayesian": bayesian, "proportions": proportions,
            "corrections": corrections, "chiSquare": chi_square, "power": powers}


def sequential():
    sequences = []
    for (a, b), tuning in [
        ((SampleMeanStatistic(sum=1396.87, sum_squares=52377.9767, n=3000),
          SampleMeanStatistic(sum=2422.7, sum_squares=134698.29, n=3461)), 1000),
        ((ProportionStatistic(sum=1396, n=3000), ProportionStatistic(sum=2422, n=3461)), 5000),
        ((mean_statistic(20, 5, 9000), mean_statistic(20.3, 7, 1000)), 10000),
        ((ProportionStatistic(sum=400, n=20000), ProportionStatistic(sum=470, n=20000)), 20000),
    ]:
        for kind in ["relative", "absolute"]:
            result = SequentialTwoSidedTTest(
                a, b, SequentialConfig(difference_type=kind, sequential_tuning_parameter=tuning)).compute_result()
            sequences.append({"control": arm(a), "variant": arm(b), "scale": kind, "time": a.n + b.n,
                              "plannedTime": tuning, "interval": list(result.ci), "p": result.p_value})
    ratios = []
    for shares, true in [([0.5, 0.5], [0.5, 0.5]), ([0.9, 0.1], [0.88, 0.12]), ([0.5, 0.3, 0.2], [0.49, 0.3, 0.21])]:
        looks = rng.multinomial(3000, true, size=6)
        for concentration in [10000, 100]:
            posteriors = sequential_posteriors(looks, np.array(shares), dirichlet_concentration=concentration)
            factor = posteriors[-1]["log_bayes_factor"]
            ratios.append({"weights": shares, "units": looks.sum(axis=0).tolist(), "concentration": concentration,
                           "logBayesFactor": factor})
    return {"sequences": sequences, "sampleRatio": ratios}


write("special.json", special())
write("fixed.json", fixed())
write("sequential.json", sequential())
