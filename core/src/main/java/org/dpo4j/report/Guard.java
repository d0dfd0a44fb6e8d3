package org.dpo4j.report;

/**
 * The values of the option {@code guard}: the diagnoses that stop a run. That a run hardly moved is
 * none of them, since it may move later.
 */
public enum Guard {
  NO_GRADIENT(Diagnoses.Symptom.NO_GRADIENT, false, false),
  NOT_AT_REFERENCE(Diagnoses.Symptom.NOT_AT_REFERENCE, false, false),
  UNSTABLE(Diagnoses.Symptom.UNSTABLE, false, true),
  OVER_OPTIMISED(Diagnoses.Symptom.OVER_OPTIMISED, true, false),
  SATURATED(Diagnoses.Symptom.SATURATED, false, true),
  DISPLACED(Diagnoses.Symptom.DISPLACED, true, false),
  NARROWED(Diagnoses.Symptom.NARROWED, false, true);

  private final Diagnoses.Symptom symptom;
  private final boolean ofEvaluations;
  private final boolean ofManyReports;

  Guard(Diagnoses.Symptom symptom, boolean ofEvaluations, boolean ofManyReports) {
    this.symptom = symptom;
    this.ofEvaluations = ofEvaluations;
    this.ofManyReports = ofManyReports;
  }

  Diagnoses.Symptom symptom() {
    return symptom;
  }

  /** Whether it needs evaluations during the run. */
  public boolean ofEvaluations() {
    return ofEvaluations;
  }

  /** Whether only pairs can show it. */
  public boolean ofPairs() {
    return this != NO_GRADIENT;
  }

  /** Log lines before it can appear. */
  public int fewestReports() {
    return ofManyReports ? Diagnoses.FEWEST_REPORTS : this == NO_GRADIENT ? 2 : 0;
  }
}
