"""The inner loops of the quadrature for neurons with several conditions.

A neuron's likelihood at (a, δ, ω) is the product over its responses of ∫ L_c(θ, δ) N(θ; a, ω²) dθ.
"""

import numpy as np
from numba import njit

from spikepool.engines.collapsed.kernels import (
    OPTIONS,
    POINTS,
    aliasing,
    column_sums,
    density_quantiles,
    draw_from,
    draw_pair,
    evidence,
    place_moments,
    polynomial,
    reached,
    row_sums,
    squared_error,
    sum_quantiles_of,
    summarise,
    transpose,
)
from spikepool.engines.collapsed.kernels_exponential import exponentials

LEAST = 1e-280
"""What the integral over a response's θ is at least, over the response's peak: so far from where
any neuron can be that polynomials along ω need not follow it further."""
_MOST_LOG = 700.0
_NOTHING = 1e-17
_UNOCCUPIED = 1e-16
"""Mass of a node, over the largest, up to which its responses are not worked out."""
_HARDLY = 1e-40
"""Sums below it are not examined: they stand where no neuron can be."""
_UNDRAWN = 30.0
"""Log density below the peak beyond which no response is drawn."""
_BAND = 30.0
"""Sds of tuning from a neuron's own log rate beyond which none of its responses lies."""


@njit(**OPTIONS)
def _spread(a, first, length, step, sd, line):
    """Step × N(θ; a, sd²) at θ = (first + t) step, 0 where it is negligible.

    Returns the first and one past the last t with a density.
    """
    low = max(int(np.ceil((a - _BAND * sd) / step)) - first, 0)
    high = min(int(np.floor((a + _BAND * sd) / step)) - first + 1, length)
    scale = step / (sd * np.sqrt(2 * np.pi))
    line[:length] = 0.0
    for t in range(low, high):
        line[t] = scale * np.exp(-0.5 * (((first + t) * step - a) / sd) ** 2)
    return low, high


@njit(**OPTIONS)
def _thinned(logs, peak, begin, stride, likelihood):
    """Likelihoods on every `stride`-th node, rows beyond the last 0; returns the number of rows."""
    n_columns = logs.shape[1]
    count = (logs.shape[0] - begin + stride - 1) // stride
    for t in range(count):
        line = likelihood[t]
        own = logs[begin + t * stride]
        for k in range(n_columns):
            line[k] = own[k] - peak
    used = likelihood[:count].ravel()
    exponentials(used, used.size, np.empty(used.size))
    likelihood[count:] = 0.0
    return count


@njit(**OPTIONS)
def _one_column(line, shift, likelihood, begin, end):
    """As `row_sums` of a single column, to the last digit, in a third of the time."""
    values = likelihood.ravel()
    total = 0.0
    for t in range(begin, end, 4):
        at = shift + t
        total += (line[at] * values[t] + line[at + 1] * values[t + 1]) + (
            line[at + 2] * values[t + 2] + line[at + 3] * values[t + 3]
        )
    return total


@njit(**OPTIONS)
def add_responses(
    logs, offset, first, step_class, theta_start, theta_length, theta_step, peak,
    a_start, a_step, rows, columns, tuning_sd, wide, stride, values, values_offset, errors, edges,
):  # fmt: skip
    """Add Σ_c ln ∫ L_c(θ, δ) N(θ; a, ω²) dθ at every (ω, a, δ) of every neuron.

    Parameters
    ----------
    logs, offset : ndarray
        ln L_c on the response's own (θ, δ) nodes, δ innermost.
    first : ndarray of int64, shape (N + 1,)
        First response of each neuron.
    step_class, theta_start, theta_length, theta_step, peak : ndarray, shape (R,)
        Nodes of θ; `peak`: the largest of `logs`.
    a_start, a_step, rows, columns : ndarray, shape (N,)
    tuning_sd : ndarray, shape (Q,)
    wide : ndarray of bool, shape (R, Q)
        Whether the nodes of θ resolve N(θ; a, ω²); others are left alone.
    stride : ndarray of int64, shape (R, Q)
        Of how many nodes one is taken.
    values, values_offset : ndarray
        To be added to; (Q, rows, columns) of every neuron.
    errors : ndarray, shape (R,)
        Estimated relative error of the sum over θ, the largest over some (ω, a, δ).
    edges : ndarray, shape (R, 2)
        Largest share of the first and the last θ.
    """
    n_tuning = tuning_sd.size
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        begin, end = first[i], first[i + 1]
        target = values[values_offset[i] : values_offset[i + 1]].reshape(
            n_tuning, n_rows, n_columns
        )
        sums = np.empty(n_columns)
        bands = np.empty((n_rows, 2), dtype=np.int64)
        done = np.zeros(end - begin, dtype=np.bool_)
        for leader in range(begin, end):
            if done[leader - begin]:
                continue
            low, high, longest = theta_start[leader], theta_start[leader], 0
            for c in range(leader, end):
                if step_class[c] == step_class[leader]:
                    low = min(low, theta_start[c])
                    high = max(high, theta_start[c] + theta_length[c])
                    longest = max(longest, theta_length[c])
            table = np.empty((n_rows, high - low + 4))
            likelihood = np.empty((longest + 4, n_columns))
            for q in range(n_tuning):
                thin = 0
                for c in range(leader, end):
                    if step_class[c] == step_class[leader] and wide[c, q]:
                        thin = stride[c, q] if thin == 0 else min(thin, stride[c, q])
                if thin == 0:
                    continue
                step = theta_step[leader] * thin
                leftmost = -(-low // thin)
                width = (high - 1) // thin + 1 - leftmost + 4
                for j in range(n_rows):
                    a = (a_start[i] + j) * a_step[i]
                    bands[j] = _spread(a, leftmost, width, step, tuning_sd[q], table[j])
                for c in range(leader, end):
                    if step_class[c] != step_class[leader] or not wide[c, q]:
                        continue
                    place = -(-theta_start[c] // thin)
                    log_l = logs[offset[c] : offset[c + 1]].reshape(theta_length[c], n_columns)
                    padded = (theta_length[c] + thin - 1) // thin // 4 * 4 + 4
                    part = likelihood[:padded]
                    count = _thinned(log_l, peak[c], place * thin - theta_start[c], thin, part)
                    shift = place - leftmost
                    for j in range(n_rows):
                        t0 = min(max(bands[j, 0] - shift, 0), count) // 4 * 4
                        t1 = min((max(bands[j, 1] - shift, 0) + 3) // 4 * 4, (count + 3) // 4 * 4)
                        if n_columns == 1:
                            sums[0] = _one_column(table[j], shift, part, t0, t1)
                        else:
                            row_sums(table[j], shift + t0, part[t0 : max(t0, t1)], sums)
                        for k in range(n_columns):
                            target[q, j, k] += np.log(max(sums[k], LEAST)) + peak[c]
                    _examine(table, shift, part[:count], c, errors, edges)
            for c in range(leader, end):
                if step_class[c] == step_class[leader]:
                    done[c - begin] = True


@njit(**OPTIONS)
def _examine(table, shift, likelihood, c, errors, edges):
    """Estimate the error of the sum over θ, and what stands at its ends, at nine (a, δ)."""
    length, n_columns = likelihood.shape
    terms = np.empty(length)
    n_rows = table.shape[0]
    for part in range(1, 4):
        j = part * (n_rows - 1) // 4
        for other in range(1, 4):
            k = other * (n_columns - 1) // 4
            total = 0.0
            for t in range(length):
                terms[t] = table[j, shift + t] * likelihood[t, k]
                total += terms[t]
            if not total > _HARDLY:
                continue
            errors[c] = max(errors[c], aliasing(terms, length, total))
            edges[c, 0] = max(edges[c, 0], terms[0] / total)
            edges[c, 1] = max(edges[c, 1], terms[length - 1] / total)


@njit(**OPTIONS)
def _narrow_lines(log_l, start, step, a, sd, nodes, log_weights, polynomials, lines):
    """Put ln (weight × likelihood) at the nodes about `a` into `lines`, one row for each node.

    Logarithms are interpolated along θ. Returns the share of the weight below the first θ, and
    above the last, where the likelihood at the end is taken.
    """
    length, n_columns = log_l.shape
    below = above = 0.0
    for h in range(nodes.size):
        place = (a + sd * nodes[h]) / step - start
        if place < 0.0:
            below += np.exp(log_weights[h])
        elif place > length - 1:
            above += np.exp(log_weights[h])
        base = polynomial(min(max(place, 0.0), length - 1.0), length, polynomials)
        line = lines[h]
        line[:n_columns] = log_weights[h]
        for m in range(POINTS):
            weight = polynomials[m]
            own = log_l[base + m]
            for k in range(n_columns):
                line[k] += weight * own[k]
    return below, above


@njit(**OPTIONS)
def _exponentiated(lines, count, n_columns, top, scratch):
    """Put e to each line, over its largest value `top`, in its place."""
    top[:n_columns] = -np.inf
    for h in range(count):
        for k in range(n_columns):
            top[k] = max(top[k], lines[h, k])
    for h in range(count):
        line = lines[h]
        for k in range(n_columns):
            line[k] -= top[k]
        exponentials(line, n_columns, scratch)


@njit(**OPTIONS)
def add_narrow_responses(
    logs, offset, first, theta_start, theta_length, theta_step, peak, a_start, a_step, rows,
    columns, tuning_sd, rule, rule_count, rule_nodes, rule_log_weights, values, values_offset,
    edges,
):  # fmt: skip
    """As `add_responses`, for the ω that are narrow beside a response's likelihood.

    `rule`, shape (R, Q): which of the Gauss-Hermite rules about a serves, if one does.
    """
    most, widest = rule_nodes.shape[1], columns.max()
    lines, top, scratch = np.empty((most, widest)), np.empty(widest), np.empty(widest)
    polynomials = np.empty(POINTS)
    n_tuning = tuning_sd.size
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        target = values[values_offset[i] : values_offset[i + 1]].reshape(
            n_tuning, n_rows, n_columns
        )
        for c in range(first[i], first[i + 1]):
            log_l = logs[offset[c] : offset[c + 1]].reshape(theta_length[c], n_columns)
            least = peak[c] + np.log(LEAST)
            for q in range(n_tuning):
                which = rule[c, q]
                if which >= rule_count.size:
                    continue
                count = rule_count[which]
                nodes, log_weights = rule_nodes[which, :count], rule_log_weights[which]
                for j in range(n_rows):
                    below, above = _narrow_lines(
                        log_l, theta_start[c], theta_step[c], (a_start[i] + j) * a_step[i],
                        tuning_sd[q], nodes, log_weights, polynomials, lines,
                    )  # fmt: skip
                    edges[c, 0] = max(edges[c, 0], below)
                    edges[c, 1] = max(edges[c, 1], above)
                    _exponentiated(lines, count, n_columns, top, scratch)
                    for k in range(n_columns):
                        total = 0.0
                        for h in range(count):
                            total += lines[h, k]
                        target[q, j, k] += max(top[k] + np.log(total), least)


@njit(**OPTIONS)
def blend(values, coefficients, j0, j1, k0, k1, likelihood):
    """Likelihood at one ω, from its logarithms at the nodes along ω, on some rows and columns."""
    scratch = np.empty(k1 - k0)
    for j in range(j0, j1):
        line = likelihood[j - j0]
        for k in range(k1 - k0):
            line[k] = 0.0
        for q in range(coefficients.size):
            coefficient = coefficients[q]
            if coefficient == 0.0:
                continue
            own = values[q, j, k0:k1]
            for k in range(k1 - k0):
                line[k] += coefficient * own[k]
        exponentials(line, k1 - k0, scratch)


@njit(**OPTIONS)
def _bounds_along(values, piece, of_rows, of_columns):
    """Bound the likelihood of every row, and of every column, over the ω of each piece.

    `of_rows`, shape (P, rows, 2): of the largest over the columns, at any ω and at all ω of the
    piece; `of_columns`, shape (P, columns, 2).
    """
    n_tuning, n_rows, n_columns = values.shape
    of_rows[:] = -np.inf
    of_columns[:] = -np.inf
    largest, smallest = np.empty(n_columns), np.empty(n_columns)
    begin = 0
    while begin < n_tuning:
        end = begin
        while end < n_tuning and piece[end] == piece[begin]:
            end += 1
        rows, columns = of_rows[piece[begin]], of_columns[piece[begin]]
        for j in range(n_rows):
            largest[:] = values[begin, j]
            smallest[:] = values[begin, j]
            for q in range(begin + 1, end):
                line = values[q, j]
                for k in range(n_columns):
                    largest[k] = max(largest[k], line[k])
                    smallest[k] = min(smallest[k], line[k])
            for k in range(n_columns):
                rows[j, 0] = max(rows[j, 0], largest[k])
                rows[j, 1] = max(rows[j, 1], smallest[k])
                columns[k, 0] = max(columns[k, 0], largest[k])
                columns[k, 1] = max(columns[k, 1], smallest[k])
        begin = end
    _exponentiate(of_rows)
    _exponentiate(of_columns)


@njit(**OPTIONS)
def _exponentiate(values):
    flat = values.ravel()
    for e in range(flat.size):
        flat[e] = np.exp(min(flat[e], _MOST_LOG))


@njit(**OPTIONS)
def _piece_of(coefficients, piece):
    """Return the piece whose nodes have coefficients."""
    for q in range(coefficients.size):
        if coefficients[q] != 0.0:
            return piece[q]
    return 0


@njit(**OPTIONS)
def _reach(bounds, table, first, length):
    """Return first and one past the last node that can matter, a multiple of four of them.

    So is `length`. `bounds`, shape (length, 2): of the likelihood, from above and from below.
    """
    top = 0.0
    for e in range(length):
        top = max(top, bounds[e, 1] * table[first + e])
    low, high = 0, length
    while low < length - 4 and bounds[low, 0] * table[first + low] < _NOTHING * top:
        low += 1
    while high > low + 4 and bounds[high - 1, 0] * table[first + high - 1] < _NOTHING * top:
        high -= 1
    size = (high - low + 3) // 4 * 4
    low = min(low, length - size)
    return low, low + size


@njit(**OPTIONS)
def _reached_by(nodes, step, start, length):
    """Return first and one past the last value that interpolating at `nodes` reads.

    A multiple of four of them, as `length` is; all, where no node is among them.
    """
    first, beyond = reached(nodes, step, start, length)
    if first == beyond:
        return 0, length
    size = (beyond - first + 3) // 4 * 4
    first = min(first, length - size)
    return first, first + size


@njit(**OPTIONS)
def evidence_tuned(
    values, offset, coefficients, piece, rows, columns, row_start, column_start,
    row_step, column_step,
    row_place, column_place, row_class, column_class, row_table, column_table,
    row_narrow, column_narrow, row_nodes, row_weights, column_nodes, column_weights, out,
):  # fmt: skip
    """As `kernels.evidence`, with the likelihood at each draw's own ω.

    Only on the rows and columns that can matter to the populations.
    """
    n_tuning = coefficients.shape[1]
    sums = np.empty(columns.max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        own = values[offset[i] : offset[i + 1]].reshape(n_tuning, n_rows, n_columns)
        block = np.empty(n_rows * n_columns)
        of_rows = np.empty((piece[-1] + 1, n_rows, 2))
        of_columns = np.empty((piece[-1] + 1, n_columns, 2))
        _bounds_along(own, piece, of_rows, of_columns)
        one = slice(i, i + 1)
        r0, c0 = row_place[i], column_place[i]
        for d in range(row_table.shape[0]):
            of = _piece_of(coefficients[d], piece)
            theta_narrow = row_narrow[d, row_class[i]]
            delta_narrow = column_narrow[d, column_class[i]]
            if theta_narrow:
                j0, j1 = _reached_by(row_nodes[d], row_step[i], row_start[i], n_rows)
            else:
                j0, j1 = _reach(of_rows[of], row_table[d], r0, n_rows)
            k0, k1 = 0, n_columns
            if delta_narrow:
                k0, k1 = _reached_by(column_nodes[d], column_step[i], column_start[i], n_columns)
            elif n_columns > 1:
                k0, k1 = _reach(of_columns[of], column_table[d], c0, n_columns)
            if theta_narrow or delta_narrow:
                this = slice(d, d + 1)
                size = (j1 - j0) * (k1 - k0)
                blend(own, coefficients[d], j0, j1, k0, k1, block[:size].reshape(j1 - j0, k1 - k0))
                evidence(
                    block, np.array([0, size]), np.array([j1 - j0]), np.array([k1 - k0]),
                    row_start[one] + j0, column_start[one] + k0, row_step[one], column_step[one],
                    row_place[one] + j0, column_place[one] + k0, row_class[one],
                    column_class[one], row_table[this], column_table[this], row_narrow[this],
                    column_narrow[this], row_nodes[this], row_weights[this], column_nodes[this],
                    column_weights[this], out[one, this],
                )  # fmt: skip
                continue
            part = block[: (j1 - j0) * (k1 - k0)].reshape(j1 - j0, k1 - k0)
            blend(own, coefficients[d], j0, j1, k0, k1, part)
            row_sums(row_table[d], r0 + j0, part, sums)
            total = 0.0
            for k in range(k1 - k0):
                total += sums[k] * column_table[d, c0 + k0 + k]
            out[i, d] = np.log(total)


@njit(**OPTIONS)
def mixture_tuned(
    values, offset, coefficients, piece, rows, columns, row_start, column_start,
    row_step, column_step,
    row_place, column_place, row_table, column_table, weights, row_width, column_width,
    row_resolved, column_resolved, copies, shifts, a, b, thresholds, column_thresholds, masses,
    moments, row_quantiles, column_quantiles, sum_quantiles, above, column_above,
    variances, row_draws, column_draws, masses_out,
):  # fmt: skip
    """As `kernels.mixture`, with the likelihood at each draw's own ω.

    `masses_out` has the shape of `values`: the posterior mass at every (a, δ), shared out among
    the nodes of ω by the coefficients, so that it sums to that at any ω.
    """
    n_draws, n_tuning = coefficients.shape
    largest = (rows * columns).max()
    block, scratch = np.empty(largest), np.empty(largest)
    along, across = np.empty(columns.max()), np.empty(rows.max())
    mean_theta = np.empty(n_draws)
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        own = values[offset[i] : offset[i + 1]].reshape(n_tuning, n_rows, n_columns)
        r0, c0 = row_place[i], column_place[i]
        shares = masses_out[offset[i] : offset[i + 1]].reshape(n_tuning, n_rows, n_columns)
        shares[:] = 0.0
        row_first, column_first = row_start[i] * row_step[i], column_start[i] * column_step[i]
        shared = 0.0
        shared_delta = 0.0
        drawn = 0
        of_rows = np.empty((piece[-1] + 1, n_rows, 2))
        of_columns = np.empty((piece[-1] + 1, n_columns, 2))
        _bounds_along(own, piece, of_rows, of_columns)
        for d in range(n_draws):
            of = _piece_of(coefficients[d], piece)
            j0, j1 = _reach(of_rows[of], row_table[d], r0, n_rows)
            k0, k1 = 0, n_columns
            if n_columns > 1:
                k0, k1 = _reach(of_columns[of], column_table[d], c0, n_columns)
            likelihood = block[: (j1 - j0) * (k1 - k0)].reshape(j1 - j0, k1 - k0)
            blend(own, coefficients[d], j0, j1, k0, k1, likelihood)
            row_of, column_of = row_table[d, r0 + j0 :], column_table[d, c0 + k0 :]
            row_begin = row_first + j0 * row_step[i]
            column_begin = column_first + k0 * column_step[i]
            transposed = transpose(likelihood, scratch)
            row_sums(row_of, 0, likelihood, along)
            column_sums(column_of, 0, likelihood, transposed, across)
            total = 0.0
            for k in range(k1 - k0):
                along[k] *= column_of[k]
                total += along[k]
            for j in range(j1 - j0):
                across[j] *= row_of[j]
            first, variance = place_moments(across, j1 - j0, total)
            variance *= row_step[i] ** 2
            mean_theta[d] = row_begin + first * row_step[i]
            variances[i, d] = variance
            width = max(row_width[d], row_resolved * row_step[i])
            shared += weights[d] * variance / width**2
            spread = 0.0
            if n_columns > 1:
                _, spread = place_moments(along, k1 - k0, total)
                width = max(column_width[d], column_resolved * column_step[i])
                shared_delta += weights[d] * spread * column_step[i] ** 2 / width**2
            for _ in range(copies[d]):
                place, other = draw_pair(
                    along, total, spread, transposed, row_of, 0, across, shifts[i], drawn
                )
                row_draws[drawn, i] = row_begin + place * row_step[i]
                column_draws[drawn, i] = column_begin + other * column_step[i]
                drawn += 1
            scale = weights[d] / total
            for j in range(j1 - j0):
                of_row = scale * row_of[j]
                for k in range(k1 - k0):
                    likelihood[j, k] *= of_row * column_of[k]
            for q in range(n_tuning):
                coefficient = coefficients[d, q]
                if coefficient == 0.0:
                    continue
                for j in range(j1 - j0):
                    share = shares[q, j0 + j, k0:k1]
                    for k in range(k1 - k0):
                        share[k] += coefficient * likelihood[j, k]
        mass = np.zeros((n_rows, n_columns))
        for q in range(n_tuning):
            mass += shares[q]
        mass = np.maximum(mass, 0.0)
        column_above[i] = summarise(
            mass, mass.sum(), row_first, row_step[i], column_first, column_step[i], moments[i],
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
def _occupied(own):
    """Return where a neuron has mass to speak of.

    `rows`, shape (Q, 2): first and one past the last row at every ω, a multiple of four of them,
    or none; then first and one past the last column at any ω.
    """
    n_tuning, n_rows, n_columns = own.shape
    of_rows, of_columns = np.zeros((n_tuning, n_rows)), np.zeros(n_columns)
    for q in range(n_tuning):
        for j in range(n_rows):
            line = own[q, j]
            for k in range(n_columns):
                size = abs(line[k])
                of_rows[q, j] = max(of_rows[q, j], size)
                of_columns[k] = max(of_columns[k], size)
    least = _UNOCCUPIED * of_columns.max()
    rows = np.zeros((n_tuning, 2), dtype=np.int64)
    for q in range(n_tuning):
        low, high = _ends(of_rows[q], least)
        size = (high - low + 3) // 4 * 4
        low = min(low, n_rows - size)
        rows[q] = low, low + size
    return rows, _ends(of_columns, least)


@njit(**OPTIONS)
def _ends(values, least):
    """First and one past the last value above `least`; equal where there is none."""
    low, high = 0, values.size
    while low < high and values[low] <= least:
        low += 1
    while high > low and values[high - 1] <= least:
        high -= 1
    return low, high


@njit(**OPTIONS)
def _strided(likelihood, stride, thinned):
    """Every `stride`-th row, and rows of 0 up to a multiple of four; returns their number."""
    length = likelihood.shape[0]
    count = (length + stride - 1) // stride
    padded = (count + 3) // 4 * 4
    for t in range(count):
        thinned[t] = likelihood[t * stride]
    thinned[count:padded] = 0.0
    return padded


@njit(**OPTIONS)
def add_response_densities(
    logs, offset, first, theta_start, theta_length, theta_step, peak,
    a_start, a_step, rows, columns, tuning_sd, wide, stride, shares, shares_offset, densities, sums,
):  # fmt: skip
    """Add each response's posterior mass on its nodes (θ, δ), where those resolve ω.

    `shares`: of `mixture_tuned`; `densities`: of the shape of `logs`, to be added to. Of a node of
    ω and every (a, δ) the mass is spread over θ as L(θ, δ) N(θ; a, ω²), normalised. `sums`, shape
    (R, 5): to be added to, of 1, x, x², e^x and e^2x, x from the middle of the nodes.
    """
    n_tuning = tuning_sd.size
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        own = shares[shares_offset[i] : shares_offset[i + 1]].reshape(n_tuning, n_rows, n_columns)
        occupied, (k0, k1) = _occupied(own)
        width = k1 - k0
        of_row, spread_out = np.empty(width), np.empty(width)
        given = np.empty((n_rows, width))
        for c in range(first[i], first[i + 1]):
            length = theta_length[c]
            log_l = logs[offset[c] : offset[c + 1]].reshape(length, n_columns)
            likelihood = np.exp(log_l[:, k0:k1] - peak[c])
            density = densities[offset[c] : offset[c + 1]].reshape(length, n_columns)
            table = np.empty((n_rows, length))
            turned = np.empty((length, n_rows))
            thinned, spread = np.empty((length + 4, width)), np.empty(length + 4)
            for q in range(n_tuning):
                j0, j1 = occupied[q]
                if j0 == j1 or not wide[c, q]:
                    continue
                t0, t1 = length, 0
                for j in range(j0, j1):
                    a = (a_start[i] + j) * a_step[i]
                    low, high = _spread(
                        a, theta_start[c], length, theta_step[c], tuning_sd[q], table[j]
                    )
                    t0, t1 = min(t0, low), max(t1, high)
                t0, t1 = t0 // 4 * 4, (t1 + 3) // 4 * 4
                if t0 >= t1:
                    continue
                thin = stride[c, q]
                count = _strided(likelihood[t0:t1], thin, thinned)
                for j in range(j0, j1):
                    for t in range(count):
                        spread[t] = table[j, min(t0 + t * thin, length - 1)] * thin
                    row_sums(spread, 0, thinned[:count], of_row)
                    for k in range(width):
                        share = own[q, j, k0 + k]
                        given[j, k] = share / of_row[k] if of_row[k] > LEAST else 0.0
                    for t in range(t0, t1):
                        turned[t, j] = table[j, t]
                for t in range(t0, t1):
                    row_sums(turned[t], j0, given[j0:j1], spread_out)
                    line = density[t]
                    for k in range(width):
                        line[k0 + k] += spread_out[k] * likelihood[t, k]
            for t in range(length):
                x = (t - 0.5 * (length - 1)) * theta_step[c]
                mass = density[t].sum()
                sums[c, 0] += mass
                sums[c, 1] += mass * x
                sums[c, 2] += mass * x * x
                sums[c, 3] += mass * np.exp(x)
                sums[c, 4] += mass * np.exp(2 * x)


@njit(**OPTIONS)
def add_narrow_densities(
    logs, offset, first, theta_start, theta_length, theta_step, a_start, a_step, rows, columns,
    tuning_sd, rule, rule_count, rule_nodes, rule_log_weights, shares, shares_offset, blur,
    densities, sums,
):  # fmt: skip
    """As `add_response_densities`, for the ω that are narrow beside a response's likelihood.

    The sums are exact; on the nodes of θ stands a normal density with the mean, and the sd if it
    is no less than `blur`, shape (N,), at every (a, δ).
    """
    most, widest = rule_nodes.shape[1], columns.max()
    lines, top, scratch = np.empty((most, widest)), np.empty(widest), np.empty(widest)
    polynomials, places, growth = np.empty(POINTS), np.empty(most), np.empty(most)
    n_tuning = tuning_sd.size
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        own = shares[shares_offset[i] : shares_offset[i + 1]].reshape(n_tuning, n_rows, n_columns)
        occupied, (k0, k1) = _occupied(own)
        for c in range(first[i], first[i + 1]):
            length, step = theta_length[c], theta_step[c]
            log_l = logs[offset[c] : offset[c + 1]].reshape(length, n_columns)[:, k0:k1].copy()
            density = densities[offset[c] : offset[c + 1]].reshape(length, n_columns)
            middle = (theta_start[c] + 0.5 * (length - 1)) * step
            for q in range(n_tuning):
                which = rule[c, q]
                if which >= rule_count.size:
                    continue
                count = rule_count[which]
                nodes, log_weights = rule_nodes[which, :count], rule_log_weights[which]
                for j in range(occupied[q, 0], occupied[q, 1]):
                    a = (a_start[i] + j) * a_step[i]
                    _narrow_lines(
                        log_l, theta_start[c], step, a, tuning_sd[q], nodes, log_weights,
                        polynomials, lines,
                    )  # fmt: skip
                    _exponentiated(lines, count, k1 - k0, top, scratch)
                    for h in range(count):
                        places[h] = a + tuning_sd[q] * nodes[h] - middle
                        growth[h] = np.exp(places[h])
                    for k in range(k0, k1):
                        total = mean = square = rate = squared_rate = 0.0
                        for h in range(count):
                            weight, x = lines[h, k - k0], places[h]
                            total += weight
                            mean += weight * x
                            square += weight * x * x
                            rate += weight * growth[h]
                            squared_rate += weight * growth[h] * growth[h]
                        share = own[q, j, k]
                        mean /= total
                        square /= total
                        sums[c, 0] += share
                        sums[c, 1] += share * mean
                        sums[c, 2] += share * square
                        sums[c, 3] += share * rate / total
                        sums[c, 4] += share * squared_rate / total
                        sd = max(np.sqrt(max(square - mean * mean, 0.0)), blur[i])
                        _add_normal(
                            share, mean + middle, sd, theta_start[c], step, length, density, k
                        )


@njit(**OPTIONS)
def _add_normal(share, centre, width, start, step, length, density, k):
    """Add a normal density's mass on the nodes of θ to one column."""
    scale = share * step / (width * np.sqrt(2 * np.pi))
    low = max(int(np.floor((centre - 8 * width) / step)) - start, 0)
    high = min(int(np.ceil((centre + 8 * width) / step)) - start, length - 1)
    for t in range(low, high + 1):
        z = ((start + t) * step - centre) / width
        density[t, k] += scale * np.exp(-0.5 * z * z)


@njit(**OPTIONS)
def summarise_responses(
    densities, offset, neuron, theta_start, theta_length, theta_step, columns, column_start,
    column_step, sums, a, b, thresholds, masses, moments, quantiles, sum_quantiles, above,
):  # fmt: skip
    """Moments and quantiles of every response.

    `sums`: of `add_response_densities`. `moments`, shape (R, 4): mean and variance of θ and of
    e^θ. Quantiles are those of the density on the nodes, moved to the exact mean and sd.
    """
    for c in range(neuron.size):
        n_columns = columns[neuron[c]]
        length = theta_length[c]
        density = densities[offset[c] : offset[c + 1]].reshape(length, n_columns)
        across = np.zeros(length)
        for t in range(length):
            for k in range(n_columns):
                density[t, k] = max(density[t, k], 0.0)
                across[t] += density[t, k]
        total = across.sum()
        step, begin = theta_step[c], theta_start[c] * theta_step[c]
        middle = begin + 0.5 * (length - 1) * step
        of_nodes, variance_of_nodes = place_moments(across, length, total)
        mean = sums[c, 1] / sums[c, 0]
        variance = max(sums[c, 2] / sums[c, 0] - mean * mean, 0.0)
        rate = sums[c, 3] / sums[c, 0]
        moments[c, 0] = middle + mean
        moments[c, 1] = variance
        moments[c, 2] = rate * np.exp(middle)
        moments[c, 3] = max(sums[c, 4] / sums[c, 0] - rate * rate, 0.0) * np.exp(2 * middle)
        factor = np.sqrt(variance / variance_of_nodes) / step if variance_of_nodes > 0.0 else 1.0
        moved = middle + mean - of_nodes * step * factor
        density_quantiles(across, length, moved, step * factor, masses, np.inf, quantiles[c])
        if n_columns > 1 and b != 0.0:
            i = neuron[c]
            density /= total
            above[c] = sum_quantiles_of(
                density, moved, step * factor, column_start[i] * column_step[i], column_step[i],
                a, b, masses, thresholds[c], sum_quantiles[c],
            )  # fmt: skip


@njit(**OPTIONS)
def draw_responses(
    logs, offset, first, theta_start, theta_length, theta_step, columns, column_start,
    column_step, row_draws, column_draws, tuning_sd, seeds, out,
):  # fmt: skip
    """Draw every response's θ given the joint draws of a, δ (S, N) and of ω (S,).

    The draws of a response fall into S equally probable layers, in an order that follows from its
    own seed.
    """
    n_draws = tuning_sd.size
    for i in range(columns.size):
        n_columns = columns[i]
        for c in range(first[i], first[i + 1]):
            length, step = theta_length[c], theta_step[c]
            turned = np.ascontiguousarray(
                logs[offset[c] : offset[c + 1]].reshape(length, n_columns).T
            )
            weights = np.empty(length)
            state = seeds[c]
            layer = np.arange(n_draws)
            for s in range(n_draws):
                state = _next(state)
                other = s + _uniform(state) * (n_draws - s)
                layer[s], layer[int(other)] = layer[int(other)], layer[s]
            for s in range(n_draws):
                a, sd = row_draws[s, i], tuning_sd[s]
                place = column_draws[s, i] / column_step[i] - column_start[i]
                line = turned[min(max(round(place), 0), n_columns - 1)]
                state = _next(state)
                u = (layer[s] + _uniform(state)) / n_draws
                if sd < step:
                    out[s, c] = _near(line, theta_start[c], length, step, a, sd, u)
                    continue
                top = -np.inf
                for t in range(length):
                    z = ((theta_start[c] + t) * step - a) / sd
                    weights[t] = line[t] - 0.5 * z * z
                    top = max(top, weights[t])
                low, high = 0, length
                while weights[low] < top - _UNDRAWN:
                    low += 1
                while weights[high - 1] < top - _UNDRAWN:
                    high -= 1
                for t in range(low, high):
                    weights[t] = np.exp(weights[t] - top)
                place = draw_from(weights[low:high], high - low, u)
                out[s, c] = (theta_start[c] + low + place) * step


@njit(**OPTIONS)
def _next(state):
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(**OPTIONS)
def _uniform(state):
    """Scramble a state to a number from 0 to 1 (splitmix64; Steele, Lea & Flood 2014)."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@njit(**OPTIONS)
def _near(line, start, length, step, a, sd, u):
    """Draw about `a` where the likelihood is nearly a parabola within a few `sd`, under a step."""
    t = min(max(round(a / step - start), 1), length - 2)
    slope = (line[t + 1] - line[t - 1]) / (2 * step)
    curvature = max(-(line[t + 1] - 2 * line[t] + line[t - 1]) / step**2, 0.0)
    shrunk = sd**2 / (1 + sd**2 * curvature)
    return a + shrunk * slope + np.sqrt(shrunk) * _normal_quantile(u)


@njit(**OPTIONS)
def _normal_quantile(u):
    """Quantile of the standard normal, to 4.5e-4 (Abramowitz & Stegun 26.2.23)."""
    p = min(max(u, 1e-12), 1 - 1e-12)
    t = np.sqrt(-2 * np.log(min(p, 1 - p)))
    above = 2.515517 + 0.802853 * t + 0.010328 * t * t
    below = 1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3
    z = t - above / below
    return -z if p < 0.5 else z
