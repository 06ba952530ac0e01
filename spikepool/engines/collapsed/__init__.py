"""The posterior by quadrature: each neuron's own parameters are integrated out.

Given the hyperparameters φ neurons are independent, so that p(y | φ) = Π_i p_i(φ) with
p_i(φ) = ∬ L_i(θ, δ) p(θ | φ) p(δ | φ) dθ dδ. What is left is a model of one to four
hyperparameters (`model`), whose posterior is found by importance sampling (`hyperposterior`).

`lattice` tabulates every neuron's likelihood once, on nodes that serve all plausible φ; `kernels`
sums those tables against the population's densities; `direct` computes the same integrals afresh
for a single φ, and checks them.
"""
