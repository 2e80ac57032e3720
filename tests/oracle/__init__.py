"""An oracle for the network: docs/method.md, one sample, one class and one slice after the other.

Written from the specification alone; slow and simple. Of siil.model it takes the parameters by their names and the
buffers of OCPL, nothing else. tests/model/test_oracle.py holds the batched network against it.
"""
