"""Polynomials that stand for log-likelihoods of hyperparameters while a sampler explores.

Where many populations are joined in one model, the sampler asks for hundreds of thousands of
gradients, and each population's log-likelihood is a smooth function of a few coordinates. A
polynomial of degree 4 in whitened coordinates stands for it; what it misses is put right by
importance weights, which need the exact log-likelihood at the draws alone.

A polynomial knows nothing beyond the points that it was fitted to. So it is a parabola, which falls
on all sides, and a correction of coordinates bent by t = b tanh(z/b), which stays bounded.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray

_BEND = 4.0
"""Whitened coordinates, in sds, beyond which a correction stays what it is."""
_RIDGE = 1e-6


@dataclass(frozen=True)
class Frame:
    """Coordinates in which a cloud of points has mean 0 and covariance 1.

    Attributes
    ----------
    centre : ndarray, shape (K,)
    whitening : ndarray, shape (K, K)
        Inverse of a root of the cloud's covariance.
    """

    centre: FloatArray
    whitening: FloatArray

    @classmethod
    def of_cloud(cls, points: FloatArray) -> "Frame":
        """Measure a cloud, shape (D, K)."""
        return cls.of_moments(points.mean(axis=0), np.atleast_2d(np.cov(points.T)))

    @classmethod
    def of_moments(cls, centre: FloatArray, covariance: FloatArray) -> "Frame":
        """Take a centre, shape (K,), and a covariance, shape (K, K)."""
        ridge = 1e-9 * np.diag(np.diag(covariance)) + 1e-12 * np.eye(len(centre))
        return cls(centre, np.linalg.inv(np.linalg.cholesky(covariance + ridge)))

    @property
    def root(self) -> FloatArray:
        """The root of the covariance; shape (K, K)."""
        return np.linalg.inv(self.whitening)

    def whitened(self, points: FloatArray) -> FloatArray:
        """Return points, shape (D, K), in these coordinates."""
        return np.asarray(np.einsum("ij,dj->di", self.whitening, points - self.centre))

    def points(self, whitened: FloatArray) -> FloatArray:
        """Return whitened points, shape (D, K), in the coordinates of the cloud."""
        return np.asarray(self.centre + np.einsum("ij,dj->di", self.root, whitened))


@dataclass(frozen=True)
class Surrogate:
    """A parabola m'z + z'Vz/2 with a correction l't + f'(s + C t + Q f).

    Of the whitened coordinates z and the bent ones t; f are the products of two of these.

    Attributes
    ----------
    centre, whitening : ndarray, shapes (K,) and (K, K)
        The frame of the coordinates.
    slope, curvature : ndarray, shapes (K,) and (K, K)
        m and V, which has no positive eigenvalue.
    linear : ndarray, shape (K,)
    square : ndarray, shape (F,)
        Of the F = K (K + 1)/2 products.
    cubic : ndarray, shape (F, K)
    quartic : ndarray, shape (F, F)
    """

    centre: FloatArray
    whitening: FloatArray
    slope: FloatArray
    curvature: FloatArray
    linear: FloatArray
    square: FloatArray
    cubic: FloatArray
    quartic: FloatArray

    def at(self, points: FloatArray) -> FloatArray:
        """Return the values at points, shape (D, K); shape (D,)."""
        z = Frame(self.centre, self.whitening).whitened(points)
        return self._parabola(z) + self._correction(_bent(z))

    def _parabola(self, z: FloatArray) -> FloatArray:
        return np.asarray(
            (z * (self.slope + 0.5 * np.einsum("ij,dj->di", self.curvature, z))).sum(1)
        )

    def _correction(self, t: FloatArray) -> FloatArray:
        first, second = _products(t.shape[1])
        f = t[:, first] * t[:, second]
        of_f = self.square + np.einsum("fk,dk->df", self.cubic, t)
        of_f += np.einsum("fg,dg->df", self.quartic, f)
        return np.asarray((self.linear * t).sum(axis=1) + (f * of_f).sum(axis=1))


def quadratic(frame: Frame, slope: FloatArray, curvature: FloatArray) -> Surrogate:
    """Return slope'z + z' curvature z/2 of whitened coordinates z.

    Parameters
    ----------
    frame : Frame
    slope : ndarray, shape (K,)
    curvature : ndarray, shape (K, K)
    """
    size, products = len(slope), len(_products(len(slope))[0])
    return Surrogate(
        centre=frame.centre,
        whitening=frame.whitening,
        slope=slope,
        curvature=falling(curvature),
        linear=np.zeros(size),
        square=np.zeros(products),
        cubic=np.zeros((products, size)),
        quartic=np.zeros((products, products)),
    )


def falling(curvature: FloatArray) -> FloatArray:
    """Return a symmetric matrix, shape (K, K), without its positive eigenvalues."""
    values, vectors = np.linalg.eigh(curvature)
    return np.asarray((vectors * np.minimum(values, 0.0)) @ vectors.T)


def fit_surrogate(
    frame: Frame, points: FloatArray, values: FloatArray, weights: FloatArray
) -> Surrogate:
    """Fit a polynomial, without its constant, to values at points by weighted least squares.

    Parameters
    ----------
    frame : Frame
    points : ndarray, shape (D, K)
    values, weights : ndarray, shape (D,)
    """
    z = frame.whitened(points)
    t, size = _bent(z), z.shape[1]
    first, second = _products(size)
    ones, products = np.ones((len(z), 1)), z[:, first] * z[:, second]
    outer = _least_squares(np.hstack([ones, z, products]), values, weights)[1:]
    curvature = np.zeros((size, size))
    curvature[first, second] = outer[size:]
    parabola = quadratic(frame, outer[:size], curvature + curvature.T)
    f, cubic, quartic = t[:, first] * t[:, second], _places_of_cubic(size), _places_of_quartic(size)
    terms = [ones, t, f, f[:, cubic[0]] * t[:, cubic[1]], f[:, quartic[0]] * f[:, quartic[1]]]
    inner = _least_squares(np.hstack(terms), values - parabola.at(points), weights)
    _, linear, square, *higher = np.split(inner, np.cumsum([term.shape[1] for term in terms])[:-1])
    of_cubic, of_quartic = np.zeros_like(parabola.cubic), np.zeros_like(parabola.quartic)
    of_cubic[cubic], of_quartic[quartic] = higher
    return replace(parabola, linear=linear, square=square, cubic=of_cubic, quartic=of_quartic)


def _least_squares(design: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return coefficients with a small ridge on columns of equal size; shape (T,)."""
    root = np.sqrt(weights / weights.sum())
    mean = np.sum(weights * values) / weights.sum()
    weighted = root[:, np.newaxis] * design
    scale = np.sqrt((weighted**2).sum(axis=0)) + 1e-300
    padded = np.vstack([weighted / scale, np.sqrt(_RIDGE) * np.eye(len(scale))])
    target = np.concatenate([root * (values - mean), np.zeros(len(scale))])
    return np.asarray(np.linalg.lstsq(padded, target, rcond=None)[0] / scale)


def _bent(z: FloatArray) -> FloatArray:
    return np.asarray(_BEND * np.tanh(z / _BEND))


def _products(size: int) -> tuple[IntArray, IntArray]:
    """Return the two coordinates of every product of two, the first not above the second."""
    return np.triu_indices(size)


def _places_of_cubic(size: int) -> tuple[IntArray, IntArray]:
    """Return the product and the coordinate of every monomial of degree 3, each once."""
    _, second = _products(size)
    product, coordinate = np.indices((len(second), size)).reshape(2, -1)
    kept = second[product] <= coordinate
    return product[kept], coordinate[kept]


def _places_of_quartic(size: int) -> tuple[IntArray, IntArray]:
    """Return the two products of every monomial of degree 4, each once."""
    first, second = _products(size)
    one, other = np.indices((len(first), len(first))).reshape(2, -1)
    kept = second[one] <= first[other]
    return one[kept], other[kept]


def as_data(surrogates: list[Surrogate]) -> dict[str, FloatArray]:
    """Return the surrogates as arrays of a PyMC model's data, along a first axis."""
    return {
        f"surrogate_{field.name}": np.stack([getattr(each, field.name) for each in surrogates])
        for field in fields(Surrogate)
    }


def log_likelihoods(surrogates: list[Surrogate], coordinates: list[Any]) -> Any:
    """Add surrogates, as data that can be replaced, to the model on PyMC's context stack.

    Parameters
    ----------
    surrogates : list of Surrogate, length P
    coordinates : list of tensor, each of shape (P,)
        The K coordinates.

    Returns
    -------
    tensor, shape (P,)
    """
    import pymc as pm
    import pytensor.tensor as pt

    data = {name: pm.Data(name, values) for name, values in as_data(surrogates).items()}
    centre, whitening, slope, curvature, linear, square, cubic, quartic = data.values()
    first, second = _products(len(coordinates))
    z = _each(whitening, pt.stack(coordinates, axis=1) - centre)
    parabola = pt.sum(z * (slope + 0.5 * _each(curvature, z)), axis=1)
    t = _BEND * pt.tanh(z / _BEND)
    f = t[:, first] * t[:, second]
    of_f = square + _each(cubic, t) + _each(quartic, f)
    return parabola + pt.sum(linear * t, axis=1) + pt.sum(f * of_f, axis=1)


def _each(matrices: Any, vectors: Any) -> Any:
    """Multiply matrices, shape (P, n, m), and vectors, shape (P, m), one by one."""
    import pytensor.tensor as pt

    return pt.sum(matrices * vectors[:, None, :], axis=2)
