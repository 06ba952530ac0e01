"""The posterior of a model of estimates: by closed forms given the hyperparameters, or by NUTS.

`closed_form` samples the hyperparameters by importance (`hyperposterior`) and averages the closed
forms of everything else over them (`marginals`); `sampled` draws all parameters together. Both
compute in the table's own units (`Unit`), so that another unit of the estimates changes nothing but
the unit of the results, and give back what they find in the estimates' unit (`units`).
"""
