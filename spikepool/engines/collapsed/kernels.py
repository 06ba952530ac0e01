"""The inner loops of the quadrature, compiled once per machine.

Every function takes a run of neurons and writes to arrays it is given. Sums run over one neuron
only and in a fixed order, so that results do not depend on threads or on the other neurons.

Table columns are global nodes: neuron i's rows use ``table[d, column[i] : column[i] + J]``.
"""

import numpy as np
from numba import njit

POINTS = 12
"""Nodes of the local polynomial (barycentric Lagrange) that interpolates log-likelihoods."""
_BARYCENTRIC = np.array([(-1.0) ** m for m in range(POINTS)])
for _m in range(1, POINTS):
    _BARYCENTRIC[_m] = -_BARYCENTRIC[_m - 1] * (POINTS - _m) / _m
_SHORT = 6
_LEAST_MASS = 1e-14
_TINY = 1e-290
_LOG_RANGE = 60.0
_SUM_POINTS, _SUM_REACH = 96, 10.0
_COSINE = np.cos(np.arange(8) * np.pi / 4)
_SHORT_BARYCENTRIC = np.array([1.0, -5.0, 10.0, -10.0, 5.0, -1.0])
SPREAD = np.array([0.7548776662466927, 0.5698402909980532])  # Roberts' R2 sequence
REFINE = 8
"""Points per step on which a marginal density is integrated for its quantiles."""

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**OPTIONS)
def _interpolate(values, length, place):
    """Polynomial through the 12 nodes about `place` (in steps from the first node)."""
    base = int(np.floor(place)) - POINTS // 2 + 1
    base = min(max(base, 0), length - POINTS)
    above = 0.0
    below = 0.0
    for m in range(POINTS):
        distance = place - (base + m)
        value = values[base + m]
        if distance == 0.0:
            return value
        weight = _BARYCENTRIC[m] / distance
        above += weight * value
        below += weight
    return above / below


@njit(**OPTIONS)
def polynomial(place, length, weights):
    """Weights of the 12 nodes about `place`; returns the first of them."""
    base = int(np.floor(place)) - POINTS // 2 + 1
    base = min(max(base, 0), length - POINTS)
    total = 0.0
    for m in range(POINTS):
        distance = place - (base + m)
        if distance == 0.0:
            weights[:] = 0.0
            weights[m] = 1.0
            return base
        weights[m] = _BARYCENTRIC[m] / distance
        total += weights[m]
    for m in range(POINTS):
        weights[m] /= total
    return base


@njit(**OPTIONS)
def integrate_nodes(log_values, length, start, step, nodes, log_weights):
    """Ln Σ_q w_q exp(ln f(x_q)), ln f interpolated; NaN where no node is on the lattice."""
    top = -np.inf
    total = 0.0
    for q in range(nodes.size):
        place = nodes[q] / step - start
        if place < 0.0 or place > length - 1:
            continue
        term = log_weights[q] + _interpolate(log_values, length, place)
        if not np.isfinite(term):  # where the likelihood underflows
            continue
        if term > top:
            total = total * np.exp(top - term) + 1.0
            top = term
        else:
            total += np.exp(term - top)
    if total == 0.0:
        return np.nan
    return top + np.log(total)


@njit(**OPTIONS)
def reached(nodes, step, start, length):
    """First and one past the last of `length` values that interpolating at `nodes` reads."""
    first, beyond = length, 0
    for q in range(nodes.size):
        place = nodes[q] / step - start
        if 0.0 <= place <= length - 1:
            base = min(max(int(np.floor(place)) - POINTS // 2 + 1, 0), length - POINTS)
            first = min(first, base)
            beyond = max(beyond, base + POINTS)
    return min(first, beyond), beyond


@njit(**OPTIONS)
def _integrate_rows(log_values, start, step, nodes, log_weights, out):
    """As `integrate_nodes` for every row of `log_values`, each node's polynomial found once."""
    length = log_values.shape[1]
    base = np.full(nodes.size, -1)
    polynomials = np.empty((nodes.size, POINTS))
    for q in range(nodes.size):
        place = nodes[q] / step - start
        if 0.0 <= place <= length - 1:
            base[q] = polynomial(place, length, polynomials[q])
    terms = np.empty(nodes.size)
    for k in range(log_values.shape[0]):
        line = log_values[k]
        top = -np.inf
        for q in range(nodes.size):
            terms[q] = -np.inf
            if base[q] < 0:
                continue
            term = log_weights[q]
            for m in range(POINTS):
                term += polynomials[q, m] * line[base[q] + m]
            if np.isfinite(term):  # not so where the likelihood underflows
                terms[q] = term
                top = max(top, term)
        total = 0.0
        for q in range(nodes.size):
            if terms[q] > top - _LOG_RANGE:
                total += np.exp(terms[q] - top)
        out[k] = top + np.log(total) if total > 0.0 else np.nan


@njit(**OPTIONS)
def row_sums(table, first, likelihood, sums):
    """Σ_j table[first + j] L[j, k] for every k; the number of rows is a multiple of 4."""
    n_rows, n_columns = likelihood.shape
    for k in range(n_columns):
        sums[k] = 0.0
    for j in range(0, n_rows, 4):
        w0, w1 = table[first + j], table[first + j + 1]
        w2, w3 = table[first + j + 2], table[first + j + 3]
        l0, l1, l2, l3 = likelihood[j], likelihood[j + 1], likelihood[j + 2], likelihood[j + 3]
        for k in range(n_columns):
            sums[k] += (w0 * l0[k] + w1 * l1[k]) + (w2 * l2[k] + w3 * l3[k])


@njit(**OPTIONS)
def four_row_sums(tables, first, likelihood, sums):
    """As `row_sums` for four draws at once, to the last digit: fewer loads per product."""
    n_rows, n_columns = likelihood.shape
    a, b, c, e = tables[0], tables[1], tables[2], tables[3]
    sums_a, sums_b, sums_c, sums_e = sums[0], sums[1], sums[2], sums[3]
    sums[:, :n_columns] = 0.0
    for j in range(0, n_rows, 4):
        at = first + j
        a0, a1, a2, a3 = a[at], a[at + 1], a[at + 2], a[at + 3]
        b0, b1, b2, b3 = b[at], b[at + 1], b[at + 2], b[at + 3]
        c0, c1, c2, c3 = c[at], c[at + 1], c[at + 2], c[at + 3]
        e0, e1, e2, e3 = e[at], e[at + 1], e[at + 2], e[at + 3]
        l0, l1, l2, l3 = likelihood[j], likelihood[j + 1], likelihood[j + 2], likelihood[j + 3]
        for k in range(n_columns):
            x0, x1, x2, x3 = l0[k], l1[k], l2[k], l3[k]
            sums_a[k] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3)
            sums_b[k] += (b0 * x0 + b1 * x1) + (b2 * x2 + b3 * x3)
            sums_c[k] += (c0 * x0 + c1 * x1) + (c2 * x2 + c3 * x3)
            sums_e[k] += (e0 * x0 + e1 * x1) + (e2 * x2 + e3 * x3)


@njit(**OPTIONS)
def _dot(table, first, values, length):
    total = 0.0
    for k in range(length):
        total += values[k] * table[first + k]
    return total


@njit(**OPTIONS)
def column_sums(table, first, likelihood, transposed, sums):
    """Σ_k table[first + k] L[j, k] for every j."""
    n_rows, n_columns = likelihood.shape
    if n_columns > 1:
        row_sums(table, first, transposed, sums)
        return
    for j in range(n_rows):
        sums[j] = table[first] * likelihood[j, 0]


@njit(**OPTIONS)
def transpose(likelihood, scratch):
    """Likelihood.T in rows of its own, for `column_sums`; nothing for a single column."""
    n_rows, n_columns = likelihood.shape
    result = scratch[: n_rows * n_columns].reshape(n_columns, n_rows)
    for k in range(n_columns):
        for j in range(n_rows):
            result[k, j] = likelihood[j, k]
    return result


@njit(**OPTIONS)
def _log_of(likelihood, logs):
    for j in range(likelihood.shape[0]):
        for k in range(likelihood.shape[1]):
            logs[j, k] = np.log(likelihood[j, k])


@njit(**OPTIONS)
def evidence(
    values, offset, rows, columns, row_start, column_start, row_step, column_step,
    row_place, column_place, row_class, column_class, row_table, column_table,
    row_narrow, column_narrow, row_nodes, row_weights, column_nodes, column_weights, out,
):  # fmt: skip
    """Ln ∬ L p(θ|φ) p(δ|φ) for every neuron and φ; `out` has shape (neurons, D)."""
    n_draws = row_table.shape[0]
    sums = np.empty((4, columns.max()))
    logs = np.empty(max(columns.max(), rows.max()))
    scratch = np.empty((rows * columns).max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        likelihood = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        transposed = np.empty((0, 0))
        if row_narrow[:, row_class[i]].any():
            transposed = transpose(likelihood, scratch)
        r0, c0 = row_place[i], column_place[i]
        logarithms = np.empty((0, 0))
        for d in range(n_draws):
            theta_narrow = row_narrow[d, row_class[i]]
            delta_narrow = column_narrow[d, column_class[i]]
            if d % 4 == 0 and d + 4 <= n_draws:
                four_row_sums(row_table[d : d + 4], r0, likelihood, sums)
            elif d >= n_draws - n_draws % 4:
                row_sums(row_table[d], r0, likelihood, sums[d % 4])
            if not theta_narrow:
                if not delta_narrow:
                    out[i, d] = np.log(_dot(column_table[d], c0, sums[d % 4], n_columns))
                    continue
                for k in range(n_columns):
                    logs[k] = np.log(sums[d % 4, k])
            elif not delta_narrow:
                first, beyond = reached(row_nodes[d], row_step[i], row_start[i], n_rows)
                column_sums(
                    column_table[d], c0, likelihood[first:beyond], transposed[:, first:beyond],
                    logs[first:beyond],
                )  # fmt: skip
                for j in range(first, beyond):
                    logs[j] = np.log(logs[j])
                out[i, d] = integrate_nodes(
                    logs, n_rows, row_start[i], row_step[i], row_nodes[d], row_weights[d]
                )
                continue
            else:
                if logarithms.size == 0:
                    logarithms = np.empty((n_columns, n_rows))
                    _log_of(likelihood.T, logarithms)
                first, beyond = reached(column_nodes[d], column_step[i], column_start[i], n_columns)
                _integrate_rows(
                    logarithms[first:beyond], row_start[i], row_step[i], row_nodes[d],
                    row_weights[d], logs[first:beyond],
                )  # fmt: skip
            out[i, d] = integrate_nodes(
                logs, n_columns, column_start[i], column_step[i],
                column_nodes[d], column_weights[d],
            )  # fmt: skip


@njit(**OPTIONS)
def examine(
    values, offset, rows, columns, row_place, column_place, row_table, column_table, errors, edges
):
    """Estimate the rule's error, and what stands at the edges.

    `errors`, shape (neurons, 2): largest of `aliasing` over the draws of the tables, along θ and
    δ. `edges`, shape (neurons, 4): largest share of the first and last row, and column. Draws
    under which a neuron's integral underflows tell nothing.
    """
    across = np.empty(rows.max())
    along = np.empty(columns.max())
    scratch = np.empty((rows * columns).max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        likelihood = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        transposed = transpose(likelihood, scratch)
        errors[i] = 0.0
        edges[i] = 0.0
        for d in range(row_table.shape[0]):
            row_of, column_of = row_table[d], column_table[d]
            r0, c0 = row_place[i], column_place[i]
            row_sums(row_of, r0, likelihood, along)
            for k in range(n_columns):
                along[k] *= column_of[c0 + k]
            column_sums(column_of, c0, likelihood, transposed, across)
            for j in range(n_rows):
                across[j] *= row_of[r0 + j]
            total = across[:n_rows].sum()
            if not total > 0.0:
                continue
            errors[i, 0] = max(errors[i, 0], aliasing(across, n_rows, total))
            edges[i, 0] = max(edges[i, 0], across[0] / total)
            edges[i, 1] = max(edges[i, 1], across[n_rows - 1] / total)
            if n_columns > 1:
                errors[i, 1] = max(errors[i, 1], aliasing(along, n_columns, total))
                edges[i, 2] = max(edges[i, 2], along[0] / total)
                edges[i, 3] = max(edges[i, 3], along[n_columns - 1] / total)


@njit(**OPTIONS)
def aliasing(terms, length, total):
    """Estimate the trapezoid rule's relative error from its terms.

    The error is the integrand's Fourier transform at one cycle a step. Its modulus at a quarter,
    at three eighths and at half a cycle is extrapolated, the logarithm along a straight line: for
    an analytic integrand that falls so or faster.
    """
    cosine_1 = sine_1 = cosine_2 = sine_2 = half = 0.0
    for e in range(length):
        cosine_1 += terms[e] * _COSINE[2 * e % 8]
        sine_1 += terms[e] * _COSINE[(2 * e + 6) % 8]
        cosine_2 += terms[e] * _COSINE[3 * e % 8]
        sine_2 += terms[e] * _COSINE[(3 * e + 6) % 8]
        half += terms[e] * _COSINE[4 * e % 8]
    quarter = np.hypot(cosine_1, sine_1) + _TINY
    more = np.hypot(cosine_2, sine_2)
    half = abs(half)
    by_more = more * min(1.0, more / quarter) ** 5
    by_half = half * min(1.0, half / quarter) ** 2
    return max(by_more, by_half) / total


@njit(**OPTIONS)
def _between_nodes(values, logs, length, place, least_log):
    """Density at `place`, in steps from the first node: a quintic through six logarithms.

    Where one of the six is below `least_log`, which a polynomial would overshoot, linear between
    the two neighbours.
    """
    whole = int(place)
    if place == whole:
        return values[whole]
    base = min(max(whole - _SHORT // 2 + 1, 0), length - _SHORT)
    above = 0.0
    below = 0.0
    for m in range(_SHORT):
        if logs[base + m] < least_log:
            part = place - whole
            return (1.0 - part) * values[whole] + part * values[whole + 1]
        weight = _SHORT_BARYCENTRIC[m] / (place - (base + m))
        above += weight * logs[base + m]
        below += weight
    return np.exp(above / below)


@njit(**OPTIONS)
def _refined_density(values, length, step, fine):
    """Density on REFINE points per step; returns its integral."""
    logs = np.empty(length)
    top = -np.inf
    for j in range(length):
        logs[j] = np.log(max(values[j], _TINY))
        top = max(top, logs[j])
    size = (length - 1) * REFINE + 1
    for e in range(size - 1):
        fine[e] = _between_nodes(values, logs, length, e / REFINE, top - _LOG_RANGE)
    fine[size - 1] = values[length - 1]
    total = 0.0
    for e in range(size - 1):
        total += 0.5 * (fine[e] + fine[e + 1])
    return total * step / REFINE


@njit(**OPTIONS)
def density_quantiles(values, length, first, step, masses, threshold, quantiles):
    """Quantiles at ascending `masses`, and the mass above `threshold`, of a tabulated density."""
    fine = np.empty((length - 1) * REFINE + 1)
    total = _refined_density(values, length, step, fine)
    small = step / REFINE
    below = 0.0
    which = 0
    above = 1.0 if threshold < first else 0.0
    for e in range(fine.size - 1):
        left = first + e * small
        share = 0.5 * (fine[e] + fine[e + 1]) * small / total
        while which < masses.size and below + share >= masses[which]:
            part = (masses[which] - below) / share if share > 0.0 else 0.0
            quantiles[which] = left + _within(fine[e], fine[e + 1], part) * small
            which += 1
        if left <= threshold < left + small:
            x = (threshold - left) / small
            inside = (fine[e] + 0.5 * (fine[e + 1] - fine[e]) * x) * x * small / total
            above = 1.0 - below - inside
        below += share
    while which < masses.size:
        quantiles[which] = first + (length - 1) * step
        which += 1
    return min(max(above, 0.0), 1.0)


@njit(**OPTIONS)
def _within(left, right, part):
    """Where, from 0 to 1, a linear density has `part` of its mass below."""
    slope = right - left
    if abs(slope) < 1e-9 * (left + right):
        return part
    return (np.sqrt(left * left + part * (right * right - left * left)) - left) / slope


@njit(**OPTIONS)
def _sum_density(
    mass, logs, x_first, x_step, y_first, y_step, a, b, low, step, out
):  # fmt: skip
    """Density of a x + b y at `low`, `low` + `step`, ... from the tabulated density of (y, x).

    For every node of y the density along x is interpolated in logarithms, where it is close to a
    parabola; the sum over y is the trapezoid rule, which holds where b's steps are not the longer.
    """
    n_lines, length = mass.shape
    least_log = np.log(mass.max()) - _LOG_RANGE
    for e in range(out.size):
        total = 0.0
        for k in range(n_lines):
            place = ((low + e * step - b * (y_first + k * y_step)) / a - x_first) / x_step
            if place <= 0.0 or place >= length - 1:
                continue
            whole = int(place)
            line = mass[k]
            if line[whole] >= _LEAST_MASS or line[whole + 1] >= _LEAST_MASS:
                total += _between_nodes(line, logs[k], length, place, least_log)
        out[e] = total


@njit(**OPTIONS)
def sum_quantiles_of(
    mass, row_first, row_step, column_first, column_step, a, b, masses, threshold, quantiles
):  # fmt: skip
    """Quantiles of a θ + b δ, and its mass above a threshold."""
    n_rows, n_columns = mass.shape
    mean = 0.0
    square = 0.0
    origin = a * row_first + b * column_first
    for j in range(n_rows):
        for k in range(n_columns):
            value = a * row_step * j + b * column_step * k
            mean += mass[j, k] * value
            square += mass[j, k] * value * value
    sd = np.sqrt(max(square - mean * mean, 0.0))
    ends = a * row_step * (n_rows - 1), b * column_step * (n_columns - 1)
    low = max(min(ends[0], 0.0) + min(ends[1], 0.0), mean - _SUM_REACH * sd) + origin
    high = min(max(ends[0], 0.0) + max(ends[1], 0.0), mean + _SUM_REACH * sd) + origin
    step = (high - low) / (_SUM_POINTS - 1)
    density = np.empty(_SUM_POINTS)
    if abs(a) * row_step <= abs(b) * column_step:
        logs = np.log(np.maximum(mass, _TINY))
        _sum_density(
            mass, logs, column_first, column_step, row_first, row_step, b, a, low, step, density
        )
    else:
        turned = np.ascontiguousarray(mass.T)
        logs = np.log(np.maximum(turned, _TINY))
        _sum_density(
            turned, logs, row_first, row_step, column_first, column_step, a, b, low, step, density
        )
    return density_quantiles(density, _SUM_POINTS, low, step, masses, threshold, quantiles)


@njit(**OPTIONS)
def pick(weights, length, target):
    """Cell in which the cumulative weight passes `target`, with the place in it, from −½ to ½."""
    below = 0.0
    for e in range(length):
        if below + weights[e] >= target and weights[e] > 0.0:
            return e + (target - below) / weights[e] - 0.5
        below += weights[e]
    return length - 1.0


@njit(**OPTIONS)
def draw_from(weights, length, uniform):
    """Draw a place, in steps from the first node, from tabulated weights.

    The draw lies anywhere in the cell of its node; drawing towards the mean undoes the spread that
    this adds.
    """
    total = 0.0
    first = 0.0
    second = 0.0
    for e in range(length):
        total += weights[e]
        first += weights[e] * e
        second += weights[e] * e * e
    mean = first / total
    variance = max(second / total - mean * mean, 0.0)
    cell = pick(weights, length, uniform * total)
    return mean + (cell - mean) * np.sqrt(variance / (variance + 1.0 / 12.0))


@njit(**OPTIONS)
def place_moments(weights, length, total):
    """Mean and variance of the place, in steps from the first node, under weights of that total."""
    first = 0.0
    second = 0.0
    for e in range(length):
        first += weights[e] * e
        second += weights[e] * e * e
    first /= total
    return first, max(second / total - first * first, 0.0)


@njit(**OPTIONS)
def draw_pair(along, total, spread, given, row_of, r0, scratch, shift, drawn):
    """Draw θ and δ, in steps from their first nodes; `along`: weights of the columns.

    `spread`: variance of the column's place; `given`: likelihoods, (columns, rows). Draws number
    `drawn` of a sequence that fills the unit square evenly from `shift` on.
    """
    n_columns, n_rows = given.shape
    u = (shift[0] + drawn * SPREAD[0]) % 1.0
    v = (shift[1] + drawn * SPREAD[1]) % 1.0
    k = 0
    place = 0.0
    if n_columns > 1:
        mean, _ = place_moments(along, n_columns, total)
        cell = pick(along, n_columns, u * total)
        k = min(max(round(cell), 0), n_columns - 1)
        place = mean + (cell - mean) * np.sqrt(spread / (spread + 1.0 / 12.0))
    for j in range(n_rows):
        scratch[j] = row_of[r0 + j] * given[k, j]
    return draw_from(scratch, n_rows, v), place


@njit(**OPTIONS)
def _add_products(row_table, r0, column_table, c0, scales, mass):
    """Mass += Σ_d scale_d × rows_d ⊗ columns_d, four draws at a time."""
    n_rows, n_columns = mass.shape
    n_draws = scales.size
    end = c0 + n_columns
    for d in range(0, n_draws - n_draws % 4, 4):
        c_0, c_1 = column_table[d, c0:end], column_table[d + 1, c0:end]
        c_2, c_3 = column_table[d + 2, c0:end], column_table[d + 3, c0:end]
        for j in range(n_rows):
            w0, w1 = row_table[d, r0 + j] * scales[d], row_table[d + 1, r0 + j] * scales[d + 1]
            w2 = row_table[d + 2, r0 + j] * scales[d + 2]
            w3 = row_table[d + 3, r0 + j] * scales[d + 3]
            line = mass[j]
            for k in range(n_columns):
                line[k] += (w0 * c_0[k] + w1 * c_1[k]) + (w2 * c_2[k] + w3 * c_3[k])
    for d in range(n_draws - n_draws % 4, n_draws):
        for j in range(n_rows):
            weight = row_table[d, r0 + j] * scales[d]
            for k in range(n_columns):
                mass[j, k] += weight * column_table[d, c0 + k]


@njit(**OPTIONS)
def mixture(
    values, offset, rows, columns, row_start, column_start, row_step, column_step,
    row_place, column_place, row_table, column_table, weights, row_width, column_width,
    row_resolved, column_resolved, copies, shifts, a, b, thresholds, column_thresholds, masses,
    moments, row_quantiles, column_quantiles, sum_quantiles, above, column_above,
    variances, row_draws, column_draws, masses_out,
):  # fmt: skip
    """Average every neuron's conditional densities over the hyperparameters.

    Per neuron and draw of φ the conditional density is table × likelihood, normalised. `weights`
    sum to 1; `copies` says how many joint draws (θ, δ) each φ gives. `moments`, shape (neurons,
    9): mean and variance of θ, of e^θ and of δ; E Var(θ|φ)/width², E Var(δ|φ)/width², with widths
    no narrower than the tables have them, `resolved` steps of the neuron; the squared Monte Carlo
    error of the mean of θ.
    """
    n_draws = row_table.shape[0]
    along_of = np.empty((4, columns.max()))
    across_of = np.empty((4, rows.max()))
    mean_theta = np.empty(n_draws)
    scales = np.empty(n_draws)
    scratch = np.empty((rows * columns).max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        likelihood = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        r0, c0 = row_place[i], column_place[i]
        transposed = transpose(likelihood, scratch)
        mass = masses_out[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        mass[:] = 0.0
        row_first, column_first = row_start[i] * row_step[i], column_start[i] * column_step[i]
        shared = 0.0
        shared_delta = 0.0
        drawn = 0
        for d in range(n_draws):
            row_of, column_of = row_table[d], column_table[d]
            along, across = along_of[d % 4], across_of[d % 4]
            in_four = d < n_draws - n_draws % 4
            if not in_four:
                row_sums(row_of, r0, likelihood, along)
            elif d % 4 == 0:
                four_row_sums(row_table[d : d + 4], r0, likelihood, along_of)
            if not in_four or n_columns == 1:
                column_sums(column_of, c0, likelihood, transposed, across)
            elif d % 4 == 0:
                four_row_sums(column_table[d : d + 4], c0, transposed, across_of)
            total = 0.0
            for k in range(n_columns):
                along[k] *= column_of[c0 + k]
                total += along[k]
            scales[d] = weights[d] / total
            for j in range(n_rows):
                across[j] *= row_of[r0 + j]
            first, variance = place_moments(across, n_rows, total)
            variance *= row_step[i] ** 2
            mean_theta[d] = row_first + first * row_step[i]
            variances[i, d] = variance
            width = max(row_width[d], row_resolved * row_step[i])
            shared += weights[d] * variance / width**2
            spread = 0.0
            if n_columns > 1:
                _, spread = place_moments(along, n_columns, total)
                width = max(column_width[d], column_resolved * column_step[i])
                shared_delta += weights[d] * spread * column_step[i] ** 2 / width**2
            for _ in range(copies[d]):
                place, other = draw_pair(
                    along, total, spread, transposed, row_of, r0, across, shifts[i], drawn
                )
                row_draws[drawn, i] = row_first + place * row_step[i]
                column_draws[drawn, i] = column_first + other * column_step[i]
                drawn += 1
        _add_products(row_table, r0, column_table, c0, scales, mass)
        total = 0.0
        for j in range(n_rows):
            for k in range(n_columns):
                mass[j, k] *= likelihood[j, k]
                total += mass[j, k]
        column_above[i] = summarise(
            mass, total, row_first, row_step[i], column_first, column_step[i], moments[i],
            masses, row_quantiles[i], column_quantiles[i], column_thresholds[i],
        )  # fmt: skip
        moments[i, 6] = shared
        moments[i, 7] = shared_delta
        moments[i, 8] = squared_error(mean_theta, weights)
        if b != 0.0 and n_columns > 1:
            above[i] = sum_quantiles_of(
                mass, row_first, row_step[i], column_first, column_step[i], a, b,
                masses, thresholds[i], sum_quantiles[i],
            )  # fmt: skip


@njit(**OPTIONS)
def squared_error(means, weights):
    """Return the squared Monte Carlo error of the weighted mean of conditional means."""
    mean = 0.0
    for d in range(means.size):
        mean += weights[d] * means[d]
    error = 0.0
    for d in range(means.size):
        error += (weights[d] * (means[d] - mean)) ** 2
    return error


@njit(**OPTIONS)
def summarise(
    mass, total, row_first, row_step, column_first, column_step, moments,
    masses, row_quantiles, column_quantiles, threshold,
):  # fmt: skip
    """Moments and quantiles of θ and δ; returns the mass of δ above a threshold."""
    n_rows, n_columns = mass.shape
    across = np.zeros(n_rows)
    along = np.zeros(n_columns)
    for j in range(n_rows):
        for k in range(n_columns):
            mass[j, k] /= total
            across[j] += mass[j, k]
            along[k] += mass[j, k]
    middle = row_first + row_step * (n_rows - 1) / 2
    mean = 0.0
    square = 0.0
    rate = 0.0
    rate_square = 0.0
    for j in range(n_rows):
        x = row_first + row_step * j - middle
        mean += across[j] * x
        square += across[j] * x * x
        rate += across[j] * np.exp(x)
        rate_square += across[j] * np.exp(2 * x)
    moments[0] = middle + mean
    moments[1] = max(square - mean * mean, 0.0)
    moments[2] = rate * np.exp(middle)
    moments[3] = max(rate_square - rate * rate, 0.0) * np.exp(2 * middle)
    density_quantiles(across, n_rows, row_first, row_step, masses, np.inf, row_quantiles)
    above = 0.0
    if n_columns > 1:
        mean = 0.0
        square = 0.0
        for k in range(n_columns):
            x = column_step * k
            mean += along[k] * x
            square += along[k] * x * x
        moments[4] = column_first + mean
        moments[5] = max(square - mean * mean, 0.0)
        above = density_quantiles(
            along, n_columns, column_first, column_step, masses, threshold, column_quantiles
        )
    return above
