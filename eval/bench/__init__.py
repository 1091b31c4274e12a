"""What a bundle takes on this machine, stage by stage, and what the machine could do at most.

``clock`` times, ``texts`` makes tickets of fixed lengths, ``limits`` measures the machine,
``work`` counts an encoder's operations, ``bounds`` what a stage cannot do without, ``run`` puts
these together, ``table`` prints; ``growth`` is of `eval.scaling`, ``figures`` of `eval.summary`.
"""
