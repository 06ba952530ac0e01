"""What a design cannot tell, before any fit: every rule, and what follows from it.

`finding` says what a rule finds, the modules beside it hold the rules by their subject, and `gate`
asks all of them and turns what they find into refusals and notices.
"""
