"""Draws from urns and their importance weights, compiled once per machine.

An urn fills the trials of one condition ball by ball: with k balls in all and y in a trial, the
next falls there with probability ``share (1 + y feedback / share) / (1 + k feedback)``. Feedback
0 is the multinomial, above 0 the Dirichlet-multinomial, below 0 drawing without replacement. A
table of S balls is drawn in two steps that together are exact: independent counts (Poisson,
negative binomial or binomial, whose law given their sum is the urn's, whatever their mean) until
their sum does not exceed S; then, ball by ball, the few that lack. Tables with few balls take the
second step alone. The work grows with the trials and the square root of S at most.

Trials of one exposure share a table of their distribution (Walker's alias method, Vose 1991), to
the resolution of 28 random bits. The generator is SplitMix64 (Steele, Lea and Flood 2014), its
state a counter that every function takes and returns. A neuron's numbers depend on its own
counter alone, never on threads or on other neurons.

References
----------
Vose, M. D. (1991). A linear algorithm for generating random numbers with a given distribution.
IEEE Trans. Softw. Eng. 17, 972-975.
Steele, G. L., Lea, D. and Flood, C. H. (2014). Fast splittable pseudorandom number generators.
OOPSLA '14, 453-472.
"""

import math

import numpy as np
from numba import njit

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S28, _S30, _S31, _S36 = (np.uint64(shift) for shift in (27, 28, 30, 31, 36))
_LOW_BITS = np.uint64(2**28 - 1)
_RESOLUTION = 2.0**28
_NEGLIGIBLE = 1e-17
"""Of a distribution, where it ends."""
_LEAST_MEAN = 2.0
"""Counts per trial below which all balls are drawn one by one."""
_MARGIN, _MARGIN_FEEDBACK = 1.0, 0.5
"""How many standard deviations below S the independent counts aim: balls against repeats."""
_WIDEST_LOGS = 1024


@njit(inline="always", **OPTIONS)
def _bits(counter):
    """SplitMix64's output function: 64 random bits."""
    z = (counter ^ (counter >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit(inline="always", **OPTIONS)
def _index(bits, size):
    """Random index below `size`, from the upper 36 bits."""
    return ((bits >> _S28) * np.uint64(size)) >> _S36


@njit(inline="always", **OPTIONS)
def _fraction(bits):
    """Random number in [0, 1), from the lower 28 bits."""
    return np.float64(np.int64(bits & _LOW_BITS)) / _RESOLUTION


@njit(inline="always", **OPTIONS)
def _pick(bits, first, width, keep, value):
    """Draw from the alias table that starts at `first`; without a branch to be mispredicted."""
    k = np.uint64(first) + _index(bits, width)
    return value[k + k + np.uint64((bits & _LOW_BITS) >= keep[k])]


@njit(**OPTIONS)
def _fill_alias(weights, width, lowest, keep, value):
    """Make the alias table of ``lowest + k`` with probabilities in proportion to `weights`.

    Overwrites `weights`.
    """
    stack = np.empty(width, np.int64)
    scale = width / weights[:width].sum()
    small = 0
    large = width
    for k in range(width):
        weights[k] *= scale
        keep[k] = np.uint64(2**28)
        value[2 * k] = lowest + k
        value[2 * k + 1] = lowest + k
        if weights[k] < 1.0:
            stack[small] = k
            small += 1
        else:
            large -= 1
            stack[large] = k
    while small > 0 and large < width:
        small -= 1
        less, more = stack[small], stack[large]
        keep[less] = np.uint64(np.int64(weights[less] * _RESOLUTION))
        value[2 * less + 1] = lowest + more
        weights[more] -= 1.0 - weights[less]
        if weights[more] < 1.0:
            large += 1
            stack[small] = more
            small += 1


@njit(**OPTIONS)
def _widest(mean, slope, spikes):
    """Bound on how many counts around `mean` can have a probability that is not negligible."""
    sd = np.sqrt(mean * max(1.0 + mean * slope, 0.0))
    return np.int64(min(spikes + 1.0, 24 * sd + 80 * max(1.0, mean * slope) + 60))


@njit(**OPTIONS)
def _tabulate(mean, slope, weights):
    """Pmf of a trial's independent count, up to a factor; returns its first count and its width.

    ``f(y + 1) / f(y) = odds (1 + y slope) / (y + 1)``, with the odds that give this mean.
    """
    odds = mean / (1.0 + mean * slope)
    lowest = np.int64(max(mean - weights.size // 2, 0.0))
    centre = np.int64(mean) - lowest
    weights[centre] = 1.0
    total = 1.0
    top = centre
    value = 1.0
    while top + 1 < weights.size:
        y = lowest + top
        value *= odds * (1.0 + y * slope) / (y + 1.0)
        if value <= _NEGLIGIBLE * total:
            break
        top += 1
        weights[top] = value
        total += value
    bottom = centre
    value = 1.0
    while bottom > 0:
        y = lowest + bottom - 1
        value *= (y + 1.0) / (odds * (1.0 + y * slope))
        if value <= _NEGLIGIBLE * total:
            break
        bottom -= 1
        weights[bottom] = value
        total += value
    width = top - bottom + 1
    for k in range(width):
        weights[k] = weights[bottom + k]
    return lowest + bottom, width


@njit(**OPTIONS)
def _marginals(total, feedback, share, spikes):
    """Alias tables of the independent counts of each kind of trial, `total` balls on average."""
    kinds = share.size
    first = np.zeros(kinds + 1, np.int64)
    width = np.empty(kinds, np.int64)
    for k in range(kinds):
        bound = _widest(total * share[k], feedback / share[k], spikes)
        first[k + 1] = first[k] + bound
    keep = np.empty(first[kinds], np.uint64)
    value = np.empty(2 * first[kinds], np.int64)
    for k in range(kinds):
        start, end = first[k], first[k + 1]
        weights = np.empty(end - start)
        lowest, width[k] = _tabulate(total * share[k], feedback / share[k], weights)
        _fill_alias(weights, width[k], lowest, keep[start:end], value[2 * start : 2 * end])
    return first, width, keep, value


@njit(**OPTIONS)
def _draw_independent(y, trials, first, width, keep, value, spikes, counter):
    """Draw all trials, again and again until their sum is at most `spikes`; returns the sum."""
    while True:
        have = 0
        t = 0
        for k in range(trials.size):
            start, size = np.uint64(first[k]), np.uint64(width[k])
            for _ in range(trials[k]):
                counter += _STEP
                count = _pick(_bits(counter), start, size, keep, value)
                y[t] = count
                have += count
                t += 1
        if have <= spikes:
            return have, counter


@njit(**OPTIONS)
def _add_blindly(y, balls, trial_keep, trial_value, counter, touched):
    """Add balls without feedback; returns how many trials had none before, put in `touched`."""
    n_touched = 0
    for _ in range(balls):
        counter += _STEP
        bits = _bits(counter)
        if trial_keep.size == 0:
            t = np.int64(_index(bits, y.size))
        else:
            t = _pick(bits, 0, y.size, trial_keep, trial_value)
        touched[n_touched] = t
        n_touched += int(y[t] == 0)
        y[t] += 1
    return n_touched, counter


@njit(**OPTIONS)
def _add_balls(y, have, spikes, feedback, share, slope, trial_keep, trial_value, counter, touched):
    """Add the balls that lack, by acceptance and rejection, or by a sum where few are accepted.

    Returns as `_add_blindly`.
    """
    n = y.size
    even = trial_keep.size == 0
    n_touched = 0
    highest = 1.0
    if feedback > 0.0 and have > 0:
        for filled in range(n):
            highest = max(highest, 1.0 + y[filled] * slope[filled])
    while have < spikes:
        counter += _STEP
        bits = _bits(counter)
        mass = 1.0 + feedback * have
        if 8.0 * highest > mass * (n + 16):
            left = (_index(bits, 2**28) + _fraction(bits)) / _RESOLUTION * mass
            t = np.int64(-1)
            while left >= 0.0 and t + 1 < n:
                t = t + 1
                left -= share[t] * (1.0 + y[t] * slope[t])
            more = 1
        else:
            if even:
                t = np.int64(_index(bits, n))
            else:
                t = _pick(bits, 0, n, trial_keep, trial_value)
                counter += _STEP
                bits = _bits(counter)
            more = int(_fraction(bits) * highest < 1.0 + y[t] * slope[t])
        touched[n_touched] = t
        n_touched += more * int(y[t] == 0)
        y[t] += more
        have += more
        highest = max(highest, 1.0 + y[t] * slope[t])
    return n_touched, counter


@njit(**OPTIONS)
def log_rise(y, share, feedback, probability):
    """Σ ln [share (1 + j feedback / share) / probability] over j < y, in closed form."""
    balls = share / feedback
    if balls > 0:
        rise = math.lgamma(balls + y) - math.lgamma(balls)
    elif y > 0.5 - balls:
        return -np.inf
    else:
        rise = math.lgamma(1.0 - balls) - math.lgamma(1.0 - balls - y)
    return rise + y * np.log(abs(feedback) / probability)


@njit(**OPTIONS)
def _rise_tables(probability, spikes, shares, feedbacks):
    """`log_rise` of usual counts, for each kind of trial and two urns."""
    kinds = probability.size
    first = np.zeros(kinds + 1, np.int64)
    for k in range(kinds):
        usual = np.int64(2 * spikes * probability[k]) + 16
        first[k + 1] = first[k] + min(spikes + 1, usual, _WIDEST_LOGS)
    logs = np.empty((first[kinds], 2))
    for k in range(kinds):
        for u in range(2):
            value = 0.0
            for y in range(first[k + 1] - first[k]):
                logs[first[k] + y, u] = value
                factor = 1.0 + y * feedbacks[u] / shares[u, k]
                value += (
                    np.log(shares[u, k] * factor / probability[k]) if factor > 1e-12 else -np.inf
                )
    return first, logs


@njit(**OPTIONS)
def _add_rises(counts, repeats, kinds, used, first, logs, shares, feedbacks, probability, out):
    """Add the log ratio of probabilities, urn to null, of the used counts, for two urns."""
    for t in used:
        y, k, times = counts[t], kinds[t], repeats[t]
        if y < first[k + 1] - first[k]:
            out[0] += times * logs[first[k] + y, 0]
            out[1] += times * logs[first[k] + y, 1]
        else:
            for u in range(2):
                out[u] += times * log_rise(y, shares[u, k], feedbacks[u], probability[k])


@njit(**OPTIONS)
def _trial_by_trial(values, trials):
    """Repeat each kind's value for its trials."""
    out = np.empty(trials.sum(), values.dtype)
    t = 0
    for k in range(trials.size):
        out[t : t + trials[k]] = values[k]
        t += trials[k]
    return out


@njit(**OPTIONS)
def _draw_condition(
    probability, trials, spikes, share, feedback, counter, x2,
    inner, outer, first, logs, shares, feedbacks, ratios,
):  # fmt: skip
    """Draw tables of one condition from an urn; adds to their X² and log ratios.

    The log ratios of tables with X² strictly between `inner` and `outer` are left alone.
    """
    n = trials.sum()
    kind = _trial_by_trial(np.arange(trials.size), trials)
    expected = _trial_by_trial(spikes * probability, trials)
    inverse = 1.0 / expected
    shares_of_trials = _trial_by_trial(share, trials)
    slope = feedback / shares_of_trials
    tabled = 0 if trials.size == 1 else n
    trial_keep = np.empty(tabled, np.uint64)
    trial_value = np.empty(2 * tabled, np.int64)
    if tabled:
        _fill_alias(shares_of_trials.copy(), n, np.int64(0), trial_keep, trial_value)
    margin = _MARGIN if feedback == 0.0 else _MARGIN_FEEDBACK
    start = spikes - margin * np.sqrt(spikes * max(1.0 + spikes * feedback, 0.0))
    dense = start >= max(_LEAST_MEAN * n, 0.3 * spikes)
    marginals = _marginals(start, feedback, share if dense else share[:0], spikes)
    y = np.zeros(n, np.int64)
    touched = np.empty(n + 1, np.int64)
    filled = np.arange(n)
    once = np.ones(n, np.int64)
    for d in range(x2.size):
        have = 0
        if dense:
            have, counter = _draw_independent(y, trials, *marginals, spikes, counter)
        if feedback == 0.0:
            n_touched, counter = _add_blindly(
                y, spikes - have, trial_keep, trial_value, counter, touched
            )
        else:
            n_touched, counter = _add_balls(
                y, have, spikes, feedback, shares_of_trials, slope, trial_keep, trial_value,
                counter, touched,
            )  # fmt: skip
        used = filled if dense else touched[:n_touched]
        value = 0.0
        for t in used:
            value += (y[t] - expected[t]) ** 2 * inverse[t]
        if not dense:
            value += spikes - expected[used].sum()
        x2[d] += value
        if ratios.shape[0] and not inner < x2[d] < outer:
            _add_rises(y, once, kind, used, first, logs, shares, feedbacks, probability, ratios[d])
        if not dense:
            for t in used:
                y[t] = 0
    return counter


@njit(**OPTIONS)
def null_x2(group_start, kind_start, probability, trials, spikes, neurons, counters, x2):
    """X² of tables of each neuron under Poisson; `x2` has shape (neurons, draws)."""
    none = np.empty((0, 2))
    no_urn = np.empty((2, 0))
    no_feedback = np.empty(2)
    for j in range(neurons.size):
        x2[j] = 0.0
        for g in range(group_start[neurons[j]], group_start[neurons[j] + 1]):
            p = probability[kind_start[g] : kind_start[g + 1]]
            n = trials[kind_start[g] : kind_start[g + 1]]
            counters[j] = _draw_condition(
                p, n, spikes[g], p, 0.0, counters[j], x2[j],
                0.0, 0.0, kind_start[:1], none, no_urn, no_feedback, none,
            )  # fmt: skip


@njit(**OPTIONS)
def _weight(ratios, null_share):
    """Null pmf over mixture pmf."""
    urn_share = (1.0 - null_share) / 2.0
    return 1.0 / (null_share + urn_share * (np.exp(ratios[0]) + np.exp(ratios[1])))


@njit(**OPTIONS)
def importance_pvalues(
    group_start, kind_start, probability, trials, spikes,
    cell_start, cell_kind, cell_count, cell_weight,
    shares, feedbacks, log_constants, null_share,
    neurons, counters, lowest, highest, draws, pvalues,
):  # fmt: skip
    """``[w(y) + Σ w(y*) 1{X²* not between lowest and highest}] / (1 + draws)`` of each neuron.

    Tables y* come from the null with probability `null_share`, else from one of two urns.
    """
    for j in range(neurons.size):
        counter = counters[j]
        sizes = np.zeros(3, np.int64)
        for _ in range(draws[j]):
            counter += _STEP
            place = _index(_bits(counter), 2**28) / _RESOLUTION
            part = 0 if place < null_share else 1 + int(2 * (place - null_share) / (1 - null_share))
            sizes[part] += 1
        x2 = np.zeros(draws[j])
        ratios = np.zeros((draws[j], 2))
        own = np.zeros(2)
        end = group_start[neurons[j] + 1]
        for g in range(group_start[neurons[j]], end):
            here = slice(kind_start[g], kind_start[g + 1])
            p, n = probability[here], trials[here]
            share, feedback = shares[:, here].copy(), feedbacks[:, g].copy()
            first, logs = _rise_tables(p, spikes[g], share, feedback)
            inner, outer = (lowest[j], highest[j]) if g + 1 == end else (np.inf, -np.inf)
            cells = slice(cell_start[g], cell_start[g + 1])
            count, kind = cell_count[cells], cell_kind[cells] - kind_start[g]
            _add_rises(
                count, cell_weight[cells], kind, np.arange(count.size), first, logs, share,
                feedback, p, own,
            )  # fmt: skip
            done = 0
            for part in range(3):
                now = slice(done, done + sizes[part])
                counter = _draw_condition(
                    p, n, spikes[g], p if part == 0 else share[part - 1],
                    0.0 if part == 0 else feedback[part - 1], counter, x2[now],
                    inner, outer, first, logs, share, feedback, ratios[now],
                )  # fmt: skip
                done += sizes[part]
            own += log_constants[:, g]
            ratios += log_constants[:, g]
        total = _weight(own, null_share)
        for d in range(draws[j]):
            if not lowest[j] < x2[d] < highest[j]:
                total += _weight(ratios[d], null_share)
        pvalues[j] = total / (1 + draws[j])
        counters[j] = counter
