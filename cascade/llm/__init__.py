"""The few-shot LLM stage's inside: a question, the servers that can answer it, and their guards."""
