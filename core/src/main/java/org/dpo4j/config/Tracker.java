package org.dpo4j.config;

/**
 * The values of the option {@code report_to}: the trackers that a run writes files for, or sends
 * its metrics to. What it answers to transformers' other trackers is in {@code trl-options.txt}.
 */
enum Tracker {
  NONE,
  TENSORBOARD,
  MLFLOW
}
