"""The workflow whose one step the benchmark reports on."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("bench", schedule=None):
    EmptyOperator(task_id="step")
