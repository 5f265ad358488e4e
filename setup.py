"""Package metadata; the version is read from src/finelake/__init__.py without importing it."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

# No pyspark, delta-spark, databricks-connect or pandera[pyspark] here: a runtime brings its own Spark, and a second
# one breaks the session. No databricks-sdk either: every runtime has the one that fits its protobuf.
# scripts/check_runtime_pins.py proves that nothing below changes a package a runtime pins.
REQUIREMENTS = [
    "azure-identity>=1.19",
    "azure-mgmt-cognitiveservices>=14",
    "click>=8.1",
    "detect-secrets>=1.5,<2",  # its patterns only; nothing is sent anywhere
    "Jinja2>=3.1",
    "ftfy>=6.1",
    "jsonschema>=4.18",
    "numpy>=1.26",
    "openai>=2.0,<2.29",  # 2.29 asks for a newer typing-extensions than DBR 17.3 LTS and serverless 5 pin
    "pandas>=2.2,<3",  # Spark 4.0 does not support pandas 3, whose default string type differs
    "pandera[pandas]>=0.24",
    "phonenumbers>=8.13",
    "pyarrow>=15",
    "py3langid>=0.4",
    "pydantic>=2.10",
    "python-stdnum>=2.1",  # LGPL-2.1-or-later, used as it is, as a dependency
    "PyYAML>=6",
    "rich>=13.7",
    "rouge-score>=0.1.2",
    "sacrebleu>=2.4",
    "scipy>=1.13",
    "tiktoken>=0.12",
    "toktok-rs>=0.3",
    "typeguard>=4,<4.4.3",  # pandera brings it; later ones ask for a newer typing-extensions than those runtimes pin
    "uniplot>=0.16",
]

EMULATOR = ["fastapi>=0.115", "python-multipart>=0.0.12", "uvicorn>=0.32"]

EXTRAS = {
    # A Delta release is compiled for a Spark minor version, hence the paired upper bounds.
    "local": ["delta-spark>=4.0.1,<4.1", "pyspark[connect]>=4.0.1,<4.1"],
    # Delta 4.1.0 fails with Spark 4.1.4 where it adds a constraint; 4.3.1 says which Spark it takes.
    "spark41": ["delta-spark>=4.3.1,<4.4", "pyspark[connect]>=4.1,<4.2"],
    "spark42": ["delta-spark>=4.4,<4.4.1", "pyspark[connect]>=4.2,<4.3"],  # the jars of 4.4.1 are not on Maven Central
    "databricks": ["databricks-sdk>=0.49"],
    "emulator": EMULATOR,
    "topics": ["scikit-learn>=1.5", "threadpoolctl>=3.2"],
    "semantic": ["scikit-learn>=1.5", "sentence-transformers>=3", "threadpoolctl>=3.2"],
    # MLflow 3.7 and later keep a local store in a database only.
    "mlflow": ["alembic>=1.13", "mlflow-skinny>=2.20", "sqlalchemy>=2"],
    # transformers 5 and TRL 1; a runtime for machine learning brings PyTorch, whose version is left to it.
    "hf": ["accelerate>=1.12", "datasets>=4", "peft>=0.18", "torch>=2.6", "transformers>=5.5,<6", "trl>=1.10,<2"],
    "qlora": ["bitsandbytes>=0.46.1"],
    "report": ["matplotlib>=3.8"],  # 75 MB with what it needs; Databricks runtimes bring it
    "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5"],
    "dev": [
        "hypothesis>=6.100",
        "mypy>=1.13",
        "pandas-stubs>=2.2",
        "psutil>=6",
        "pytest>=8.3",
        "pytest-timeout>=2.3",
        "ruff>=0.8",
        "types-jsonschema>=4.18",
        "types-psutil>=6",
        "types-PyYAML>=6",
    ],
}


def read_version() -> str:
    """Return `__version__` of the package source."""
    source = (ROOT / "src" / "finelake" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if match is None:
        raise RuntimeError('src/finelake/__init__.py has no line __version__ = "..."')
    return match.group(1)


def read_readme() -> str:
    """Return the README, or nothing where a build has not brought it."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="finelake",
    version=read_version(),
    description="Curate conversations on Spark, fine-tune a chat model on them, and compare it with its base.",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[*find_packages("src"), "finelake.jobs", "finelake.conf"],
    package_dir={"": "src", "finelake.jobs": "jobs", "finelake.conf": "conf"},
    package_data={
        "finelake": ["py.typed", "*.properties", "**/*.css", "**/*.html", "**/*.toml"],
        "finelake.conf": ["*.yml", "*.json", "sql/*.sql"],
    },
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "finelake = finelake.cli:main",
            "curate = finelake.jobs.curate:main",
            "prepare = finelake.jobs.prepare:main",
            "plan = finelake.jobs.plan:main",
            "train = finelake.jobs.train:main",
            "evaluate = finelake.jobs.evaluate:main",
            "shards = finelake.jobs.shards:main",
            "promote = finelake.jobs.promote:main",
            "rollback = finelake.jobs.rollback:main",
            "reproduce = finelake.jobs.reproduce:main",
            "erase = finelake.jobs.erase:main",
            "vacuum = finelake.jobs.vacuum:main",
        ]
    },
)
