"""What a bundle takes on this machine, stage by stage, and what the machine could do at most.

``clock`` times, ``texts`` makes tickets of fixed lengths, ``limits`` measures the machine,
``work`` counts an encoder's operations, ``asking`` says how a stage is asked, ``run`` puts these
together and ``table`` prints.
"""
